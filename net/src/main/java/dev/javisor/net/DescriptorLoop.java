package dev.javisor.net;

import dev.javisor.linux.Epoll;
import dev.javisor.linux.EventFd;
import dev.javisor.linux.LinuxException;
import dev.javisor.linux.SystemCalls;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongConsumer;

/** Waits for file descriptors of Linux that are no sockets. */
public final class DescriptorLoop implements EventLoop {
    private static final long WAKE = 0;

    private final Epoll epoll;
    private final EventFd wake;
    private final LoopThread thread;

    /** By the key of the descriptor less one. Complete before the thread starts. */
    private final List<Runnable> arrivals = new ArrayList<>();

    private final long[] ready = new long[8];

    /**
     * @param name of the thread
     * @throws NetException if the host has no more descriptors
     */
    public DescriptorLoop(String name, SystemCalls system) {
        try {
            epoll = Epoll.create(system);
            try {
                wake = EventFd.create(system);
            } catch (LinuxException e) {
                epoll.close();
                throw e;
            }
            epoll.add(wake.number(), WAKE);
        } catch (LinuxException e) {
            throw new NetException("cannot wait for a network interface: " + e.getMessage(), e);
        }
        thread = new LoopThread(name, wake::signal);
    }

    /**
     * Watches a descriptor until it is closed. Before {@link #start}.
     *
     * @param arrival is called once for each time that something came, on the loop's thread
     */
    public void watch(int descriptor, Runnable arrival) {
        arrivals.add(arrival);
        epoll.addArrivals(descriptor, arrivals.size());
    }

    @Override
    public void start(LongConsumer handler) {
        thread.start(handler, this::await);
    }

    private void await(boolean block) {
        int count = block ? epoll.await(ready) : epoll.poll(ready);
        for (int i = 0; i < count; i++) {
            if (ready[i] == WAKE) {
                wake.drain();
            } else {
                arrivals.get((int) ready[i] - 1).run();
            }
        }
    }

    @Override
    public void signal(long bits) {
        thread.signal(bits);
    }

    @Override
    public void close() {
        thread.end();
        epoll.close();
        wake.close();
    }
}
