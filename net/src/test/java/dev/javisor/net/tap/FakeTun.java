package dev.javisor.net.tap;

import dev.javisor.linux.Errno;
import dev.javisor.linux.SystemCalls;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Plays the kernel's side of tap interfaces. What is not one of their system calls fails. */
final class FakeTun {
    static final String NAME = "tap7";
    static final int MTU = 9000;

    /** Descriptors that are open. */
    final Set<Integer> open = new HashSet<>();

    /** What the guest sent, header and frame. */
    final List<byte[]> sent = new ArrayList<>();

    /** What comes next, header and frame. */
    final Deque<byte[]> arriving = new ArrayDeque<>();

    /** Requests, by the last value given. */
    final Map<Long, Long> requests = new HashMap<>();

    /** Error numbers that requests answer, or 0 for open(2), 1 for read(2), 2 for write(2). */
    final Map<Long, Integer> failing = new HashMap<>();

    private int next = 10;

    SystemCalls calls() {
        return (SystemCalls)
                Proxy.newProxyInstance(
                        SystemCalls.class.getClassLoader(),
                        new Class<?>[] {SystemCalls.class},
                        (proxy, method, arguments) -> call(method, arguments));
    }

    private Object call(Method method, Object[] arguments) {
        return switch (method.getName()) {
            case "open" -> failing.containsKey(0L) ? -failing.get(0L) : opened();
            case "socket", "epollCreate", "eventfd" -> opened();
            case "epollControl" -> 0;
            case "close" -> open.remove((Integer) arguments[0]) ? 0 : -Errno.EBADF;
            case "ioctl" -> ioctl((Long) arguments[1], arguments[2]);
            case "read" -> read((MemorySegment) arguments[1]);
            case "write" -> write((MemorySegment) arguments[1]);
            default -> throw new UnsupportedOperationException(method.toString());
        };
    }

    private int opened() {
        open.add(next);
        return next++;
    }

    private int ioctl(long request, Object argument) {
        if (failing.containsKey(request)) {
            return -failing.get(request);
        }
        if (argument instanceof Long value) {
            requests.put(request, value);
        } else if (argument instanceof MemorySegment segment) {
            if (request == TapLayout.TUNSETIFF) {
                requests.put(
                        request, (long) segment.get(ValueLayout.JAVA_SHORT, TapLayout.IFREQ_VALUE));
                segment.setString(0, NAME, StandardCharsets.US_ASCII);
            } else if (request == TapLayout.TUNSETVNETHDRSZ) {
                requests.put(request, (long) segment.get(ValueLayout.JAVA_INT, 0));
            } else if (request == TapLayout.SIOCGIFMTU) {
                segment.set(ValueLayout.JAVA_INT, TapLayout.IFREQ_VALUE, MTU);
            } else if (request == TapLayout.SIOCSIFFLAGS) {
                requests.put(
                        request, (long) segment.get(ValueLayout.JAVA_SHORT, TapLayout.IFREQ_VALUE));
            }
        }
        return 0;
    }

    private long read(MemorySegment into) {
        if (failing.containsKey(1L)) {
            return -failing.get(1L);
        }
        byte[] frame = arriving.poll();
        if (frame == null) {
            return -Errno.EAGAIN;
        }
        MemorySegment.copy(frame, 0, into, ValueLayout.JAVA_BYTE, 0, frame.length);
        return frame.length;
    }

    private long write(MemorySegment from) {
        if (failing.containsKey(2L)) {
            return -failing.get(2L);
        }
        sent.add(from.toArray(ValueLayout.JAVA_BYTE));
        return from.byteSize();
    }
}
