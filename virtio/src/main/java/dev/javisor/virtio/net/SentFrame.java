package dev.javisor.virtio.net;

import static dev.javisor.virtio.net.NetLayout.*;

import dev.javisor.net.Frame;
import dev.javisor.net.FrameOffload;
import dev.javisor.net.FrameOffload.Segmentation;
import dev.javisor.virtio.DescriptorChain;
import dev.javisor.virtio.VirtioConfig;
import java.lang.foreign.MemorySegment;

/** A frame that the driver sends, in its chain behind the header (VIRTIO 1.2 §5.1.6.2). */
final class SentFrame implements Frame {
    private static final int MIN_BYTES = 14;

    final DescriptorChain chain = new DescriptorChain();
    private final byte[] header = new byte[HEADER_BYTES];
    private FrameOffload offload = FrameOffload.NONE;
    private int sizeBytes;

    /**
     * Reads the header of the chain at hand.
     *
     * @param features as negotiated: what a driver may leave to us
     * @return false if it is no frame, or asks for what was not agreed on
     */
    boolean read(long features) {
        long frameBytes = chain.readableBytes() - HEADER_BYTES;
        if (frameBytes < MIN_BYTES || frameBytes > MAX_BYTES) {
            return false;
        }
        sizeBytes = (int) frameBytes;
        chain.read(0, header, 0, HEADER_BYTES);
        int flags = VirtioConfig.read(header, FLAGS, 1);
        boolean needsChecksum = (flags & HDR_F_NEEDS_CSUM) != 0;
        int start = VirtioConfig.read(header, CSUM_START, 2);
        int offset = VirtioConfig.read(header, CSUM_OFFSET, 2);
        if (needsChecksum && ((features & F_CSUM) == 0 || start + offset + 2 > sizeBytes)) {
            return false;
        }
        Segmentation segmentation;
        switch (VirtioConfig.read(header, GSO_TYPE, 1)) {
            case GSO_NONE -> segmentation = Segmentation.NONE;
            case GSO_TCPV4 -> {
                segmentation = Segmentation.TCP4;
                if ((features & F_HOST_TSO4) == 0) {
                    return false;
                }
            }
            case GSO_TCPV6 -> {
                segmentation = Segmentation.TCP6;
                if ((features & F_HOST_TSO6) == 0) {
                    return false;
                }
            }
            default -> {
                return false;
            }
        }
        int segment = VirtioConfig.read(header, GSO_SIZE, 2);
        if (segmentation == Segmentation.NONE) {
            offload =
                    needsChecksum
                            ? new FrameOffload(true, false, segmentation, 0, 0, start, offset)
                            : FrameOffload.NONE;
            return true;
        }
        offload =
                new FrameOffload(
                        needsChecksum,
                        false,
                        segmentation,
                        VirtioConfig.read(header, HDR_LEN, 2),
                        segment,
                        needsChecksum ? start : 0,
                        needsChecksum ? offset : 0);
        // §5.1.6.2: large segments leave their checksums open, and say how large each is to be.
        return needsChecksum && segment != 0;
    }

    @Override
    public int sizeBytes() {
        return sizeBytes;
    }

    @Override
    public FrameOffload offload() {
        return offload;
    }

    @Override
    public int copy(int from, byte[] to, int at, int size) {
        return chain.read(HEADER_BYTES + (long) from, to, at, size);
    }

    @Override
    public MemorySegment[] slices(int from, int size) {
        return chain.readableSlices(HEADER_BYTES + (long) from, size);
    }
}
