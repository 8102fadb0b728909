package dev.javisor.virtio.console;

import static dev.javisor.virtio.console.ConsoleLayout.*;

import dev.javisor.virtio.DescriptorChain;
import dev.javisor.virtio.VirtioConfig;
import dev.javisor.virtio.VirtioContext;
import dev.javisor.virtio.VirtioDevice;
import dev.javisor.virtio.VirtioDeviceState;
import dev.javisor.virtio.Virtqueue;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The console device (VIRTIO 1.2 §5.3): one terminal, or several ports with names. The I/O thread
 * moves bytes between queues and {@link ConsolePort} buffers and never waits: a full buffer leaves
 * the chain in the queue, an empty queue leaves the bytes in the buffer.
 */
public final class ConsoleDevice implements VirtioDevice {
    /** Most ports: two queues each, and two for control. */
    public static final int MAX_PORTS = 20;

    private static final int DEVICE_ID = 3;
    private static final int PCI_CLASS_COMMUNICATION = 0x078000;

    /** Linux fills each receive queue with a page per entry. */
    private static final int QUEUE_SIZE = 32;

    private static final int COPY_BYTES = 4096;

    /**
     * While this many messages wait for the driver, it is not asked for more. Enough to introduce
     * all ports: Linux waits for us to take its answer to the first before it takes our next.
     */
    private static final int MAX_PENDING_CONTROL = 8 * MAX_PORTS;

    private static final int SIGNAL_HOST = 0;

    /** A port with what the I/O thread knows of the driver's side. */
    private static final class Port {
        private final int id;
        private final ConsolePort end;
        private boolean ready;
        private boolean hostOpen;

        /** The driver closed it; bytes before that may still be in the queue. */
        private boolean closing;

        /** Bytes already taken of the chain at the head of the transmit queue. */
        private long transmitted;

        Port(int id, ConsolePort end) {
            this.id = id;
            this.end = end;
        }
    }

    private final List<Port> ports = new ArrayList<>();
    private final List<ConsolePort> ends;
    private final ConsoleSizeOrder sizeOrder;
    private final byte[] copy = new byte[COPY_BYTES];
    private final byte[] message = new byte[CONTROL_BYTES];
    private final DescriptorChain chain = new DescriptorChain();

    /** Messages to the driver that wait for a buffer. */
    private final ArrayDeque<byte[]> control = new ArrayDeque<>();

    private @Nullable VirtioContext connected;
    private boolean multiport;

    /** Columns in bits 0..15, rows in 16..31. Any thread. */
    private volatile int size;

    /** The driver does not know {@link #size} yet. Any thread. */
    private volatile boolean resizePending;

    /**
     * @param specs the first is always there, as a terminal; more, or a name, need a driver with
     *     multiport
     */
    public ConsoleDevice(List<ConsolePortSpec> specs, ConsoleSizeOrder sizeOrder) {
        if (specs.isEmpty() || specs.size() > MAX_PORTS || !specs.getFirst().console()) {
            throw new IllegalArgumentException("1 to 20 ports, the first a terminal: " + specs);
        }
        this.sizeOrder = sizeOrder;
        List<ConsolePort> made = new ArrayList<>();
        for (ConsolePortSpec spec : specs) {
            ConsolePort end = new ConsolePort(spec.name(), spec.console(), this::hostChanged);
            ports.add(new Port(ports.size(), end));
            made.add(end);
        }
        ends = List.copyOf(made);
    }

    /** The host's ends, in the order of their specs. */
    public List<ConsolePort> ports() {
        return ends;
    }

    /** The port of that name. */
    public ConsolePort port(String name) {
        for (ConsolePort end : ends) {
            if (end.name().equals(name)) {
                return end;
            }
        }
        throw new IllegalArgumentException("no port " + name);
    }

    /** The terminal has a new size. From any thread. */
    public void resize(int columns, int rows) {
        size = columns & 0xFFFF | rows << 16;
        resizePending = true;
        hostChanged();
    }

    private void hostChanged() {
        VirtioContext context = connected;
        if (context != null) {
            context.signal(SIGNAL_HOST);
        }
    }

    @Override
    public int deviceId() {
        return DEVICE_ID;
    }

    @Override
    public int pciClassCode() {
        return PCI_CLASS_COMMUNICATION;
    }

    @Override
    public long features() {
        boolean several = ends.size() > 1 || !ends.getFirst().name().isEmpty();
        return F_SIZE | F_EMERG_WRITE | (several ? F_MULTIPORT : 0);
    }

    @Override
    public int[] queueSizes() {
        boolean several = (features() & F_MULTIPORT) != 0;
        int[] sizes = new int[several ? 2 * (ends.size() + 1) : 2];
        Arrays.fill(sizes, QUEUE_SIZE);
        return sizes;
    }

    @Override
    public int configBytes() {
        return CONFIG_BYTES;
    }

    @Override
    public int readConfig(int offset, int sizeBytes) {
        byte[] image = new byte[CONFIG_BYTES];
        VirtioConfig.write(image, COLS, 4, size);
        VirtioConfig.write(image, MAX_NR_PORTS, 4, ends.size());
        return VirtioConfig.read(image, offset, sizeBytes);
    }

    /** An emergency write (§5.3.6): a character for the first port, before any set-up. */
    @Override
    public void writeConfig(int offset, int sizeBytes, int value) {
        if (offset == EMERG_WR) {
            ends.getFirst().fromGuest.offer(new byte[] {(byte) value}, 0, 1);
        }
    }

    @Override
    public void connect(VirtioContext context) {
        connected = context;
    }

    @Override
    public void start(long features) {
        multiport = (features & F_MULTIPORT) != 0;
        if (!multiport) {
            // §5.3.5: the first port is there at once.
            Port first = ports.getFirst();
            first.ready = true;
            first.end.setGuestOpen(true);
        }
    }

    @Override
    public void process(long signals) {
        VirtioContext context = connected;
        if (context == null || !context.isServing()) {
            return;
        }
        if (multiport) {
            receiveControl(context);
        }
        for (Port port : ports) {
            if (context.isServing()) {
                transmit(context, port);
                receive(context, port);
            }
        }
        if (context.isServing()) {
            tellSize(context);
            if (multiport) {
                sendControl(context);
                // It may have waited for those messages to leave.
                receiveControl(context);
                sendControl(context);
            }
        }
    }

    private void tellSize(VirtioContext context) {
        if (!resizePending) {
            return;
        }
        if (!multiport) {
            resizePending = false;
            context.configChanged();
            return;
        }
        Port first = ports.getFirst();
        if (first.ready) {
            resizePending = false;
            int now = size;
            int columns = now & 0xFFFF;
            int rows = now >>> 16;
            boolean swap = sizeOrder == ConsoleSizeOrder.ROWS_FIRST;
            byte[] resize = control(first.id, RESIZE, 0, 4);
            VirtioConfig.write(resize, CONTROL_BYTES, 2, swap ? rows : columns);
            VirtioConfig.write(resize, CONTROL_BYTES + 2, 2, swap ? columns : rows);
            control.add(resize);
        }
    }

    // Driver to device.

    private void transmit(VirtioContext context, Port port) {
        int index = transmitQueue(port.id);
        if (!context.hasQueue(index)) {
            return;
        }
        Virtqueue queue = context.queue(index);
        do {
            queue.disableNotifications();
            Virtqueue.Poll poll;
            while ((poll = queue.poll(chain)) == Virtqueue.Poll.CHAIN) {
                if (!takeAll(port)) {
                    // The host is behind. It signals when it has read.
                    queue.unpoll(chain);
                    queue.notifyDriver();
                    return;
                }
                queue.push(chain, 0);
            }
            queue.notifyDriver();
            if (poll == Virtqueue.Poll.FAULT) {
                context.guestFault("console transmit: " + queue.fault());
                return;
            }
        } while (queue.enableNotifications());
        if (port.closing) {
            port.closing = false;
            ended(port);
        }
    }

    /** Moves the chain's bytes to the host; false if some did not fit. */
    private boolean takeAll(Port port) {
        while (true) {
            int n = chain.read(port.transmitted, copy, 0, COPY_BYTES);
            if (n == 0) {
                port.transmitted = 0;
                return true;
            }
            int taken = port.end.fromGuest.offer(copy, 0, n);
            port.transmitted += taken;
            if (taken < n) {
                return false;
            }
        }
    }

    /** The driver's end is closed and everything before that was passed on. */
    private static void ended(Port port) {
        port.end.setGuestOpen(false);
        if (!port.end.isConsole()) {
            port.end.fromGuest.setEnded(true);
        }
    }

    private void receiveControl(VirtioContext context) {
        if (!context.isServing() || !context.hasQueue(CONTROL_TRANSMIT_QUEUE)) {
            return;
        }
        Virtqueue queue = context.queue(CONTROL_TRANSMIT_QUEUE);
        do {
            queue.disableNotifications();
            while (control.size() < MAX_PENDING_CONTROL) {
                Virtqueue.Poll poll = queue.poll(chain);
                if (poll == Virtqueue.Poll.FAULT) {
                    context.guestFault("console control: " + queue.fault());
                    return;
                }
                if (poll == Virtqueue.Poll.EMPTY) {
                    break;
                }
                int n = chain.read(0, message, 0, CONTROL_BYTES);
                queue.push(chain, 0);
                if (n == CONTROL_BYTES) {
                    handleControl(
                            context,
                            VirtioConfig.read(message, CONTROL_ID, 4),
                            VirtioConfig.read(message, CONTROL_EVENT, 2),
                            VirtioConfig.read(message, CONTROL_VALUE, 2));
                    if (!context.isServing()) {
                        return;
                    }
                }
            }
            queue.notifyDriver();
        } while (control.size() < MAX_PENDING_CONTROL && queue.enableNotifications());
    }

    private void handleControl(VirtioContext context, int id, int event, int value) {
        if (event == DEVICE_READY) {
            if (value == 1) {
                for (Port port : ports) {
                    control.add(control(port.id, DEVICE_ADD, 1, 0));
                }
            }
            return;
        }
        if (id < 0 || id >= ports.size()) {
            return;
        }
        Port port = ports.get(id);
        switch (event) {
            case PORT_READY -> {
                port.ready = value == 1;
                if (port.ready) {
                    introduce(port);
                }
            }
            case PORT_OPEN -> {
                if (value == 1) {
                    port.closing = false;
                    port.end.fromGuest.setEnded(false);
                    port.end.setGuestOpen(true);
                } else {
                    // Bytes sent before the port was closed are in the queue before we get here.
                    port.closing = true;
                    transmit(context, port);
                }
            }
            // Others are for the driver.
            default -> {}
        }
    }

    /** What a driver wants to know of a port that it has set up (§5.3.6.2). */
    private void introduce(Port port) {
        if (port.end.isConsole()) {
            control.add(control(port.id, CONSOLE_PORT, 1, 0));
            if (port.id == 0 && size != 0) {
                resizePending = true;
            }
        }
        // Before the name, by which the guest finds the port: while our end is not open, it reads
        // the
        // end of the stream at once.
        port.hostOpen = !port.end.toGuest.isDrained();
        if (port.hostOpen) {
            control.add(control(port.id, PORT_OPEN, 1, 0));
        }
        byte[] name = port.end.name().getBytes(StandardCharsets.US_ASCII);
        if (name.length != 0) {
            byte[] named = control(port.id, PORT_NAME, 1, name.length);
            System.arraycopy(name, 0, named, CONTROL_BYTES, name.length);
            control.add(named);
        }
    }

    private static byte[] control(int id, int event, int value, int extraBytes) {
        byte[] made = new byte[CONTROL_BYTES + extraBytes];
        VirtioConfig.write(made, CONTROL_ID, 4, id);
        VirtioConfig.write(made, CONTROL_EVENT, 2, event);
        VirtioConfig.write(made, CONTROL_VALUE, 2, value);
        return made;
    }

    // Device to driver.

    private void receive(VirtioContext context, Port port) {
        int index = receiveQueue(port.id);
        // A driver throws away what comes before the port is open.
        if (!context.hasQueue(index) || !port.ready || !port.end.isGuestOpen()) {
            return;
        }
        Virtqueue queue = context.queue(index);
        PortBuffer bytes = port.end.toGuest;
        while (bytes.available() > 0) {
            Virtqueue.Poll poll = queue.poll(chain);
            if (poll == Virtqueue.Poll.FAULT) {
                context.guestFault("console receive: " + queue.fault());
                return;
            }
            if (poll == Virtqueue.Poll.EMPTY) {
                if (queue.enableNotifications()) {
                    continue;
                }
                break;
            }
            long written = 0;
            while (written < chain.writableBytes()) {
                int room = (int) Math.min(COPY_BYTES, chain.writableBytes() - written);
                int n = bytes.poll(copy, 0, room);
                if (n == 0) {
                    break;
                }
                chain.write(written, copy, 0, n);
                written += n;
            }
            queue.push(chain, written);
        }
        queue.notifyDriver();
        if (multiport && port.hostOpen && bytes.isDrained()) {
            // After the last byte: the guest reads the end of the stream.
            port.hostOpen = false;
            control.add(control(port.id, PORT_OPEN, 0, 0));
        }
    }

    private void sendControl(VirtioContext context) {
        if (!context.isServing() || !context.hasQueue(CONTROL_RECEIVE_QUEUE)) {
            return;
        }
        Virtqueue queue = context.queue(CONTROL_RECEIVE_QUEUE);
        while (!control.isEmpty()) {
            Virtqueue.Poll poll = queue.poll(chain);
            if (poll == Virtqueue.Poll.FAULT) {
                context.guestFault("console control: " + queue.fault());
                return;
            }
            if (poll == Virtqueue.Poll.EMPTY) {
                if (queue.enableNotifications()) {
                    continue;
                }
                break;
            }
            byte[] next = control.remove();
            queue.push(chain, chain.write(0, next, 0, next.length));
        }
        queue.notifyDriver();
    }

    @Override
    public void stop() {
        control.clear();
        for (Port port : ports) {
            port.ready = false;
            port.hostOpen = false;
            port.closing = false;
            port.transmitted = 0;
            if (port.end.isGuestOpen()) {
                ended(port);
            }
        }
        // The next driver wants to know.
        resizePending = size != 0;
    }

    /** Chains are never kept: what cannot be moved stays in its queue. */
    @Override
    public boolean isIdle() {
        return true;
    }

    @Override
    public VirtioDeviceState save() {
        List<ConsoleState.Port> states = new ArrayList<>();
        for (Port port : ports) {
            states.add(
                    new ConsoleState.Port(
                            port.ready,
                            port.end.isGuestOpen() && !port.closing,
                            port.hostOpen,
                            port.transmitted,
                            port.end.toGuest.contents(),
                            port.end.toGuest.isEnded(),
                            port.end.fromGuest.contents()));
        }
        return new ConsoleState(
                size & 0xFFFF, size >>> 16, resizePending, List.copyOf(control), states);
    }

    @Override
    public void restore(VirtioDeviceState state) {
        if (!(state instanceof ConsoleState saved) || saved.ports().size() != ports.size()) {
            throw new IllegalArgumentException("not a state of this console device: " + state);
        }
        size = saved.columns() & 0xFFFF | saved.rows() << 16;
        resizePending = saved.resizePending();
        control.clear();
        control.addAll(saved.control());
        for (Port port : ports) {
            ConsoleState.Port from = saved.ports().get(port.id);
            port.ready = from.ready();
            port.hostOpen = from.hostOpen();
            port.transmitted = Math.max(0, from.transmitted());
            port.end.setGuestOpen(from.guestOpen());
            port.end.toGuest.clear();
            port.end.toGuest.offer(from.toGuest(), 0, from.toGuest().length);
            port.end.toGuest.setEnded(from.inputClosed());
            port.end.fromGuest.offer(from.fromGuest(), 0, from.fromGuest().length);
        }
    }

    /** Whoever waits for a port gets the end of the stream. */
    @Override
    public void close() {
        for (ConsolePort end : ends) {
            end.setGuestOpen(false);
            end.fromGuest.close();
            end.toGuest.close();
        }
    }
}
