package dev.javisor.net;

/**
 * What sender and receiver of a frame leave to each other, as in {@code struct virtio_net_hdr}
 * (VIRTIO 1.2 §5.1.6) and Linux's tap interfaces. From a guest it is a claim to be checked.
 *
 * @param needsChecksum the 16-bit sum from {@link #checksumStart} to the end is to be stored at
 *     {@link #checksumOffset} behind it, where the pseudo header's sum is now
 * @param dataValid the checksums were found to be right, or never had a chance to go wrong
 * @param segmentation how a frame larger than the MTU is to be cut
 * @param headerBytes length of all headers, as a hint; 0 if unknown
 * @param segmentBytes payload of each segment
 * @param checksumStart from the start of the frame, bytes
 * @param checksumOffset from {@code checksumStart}, bytes
 */
public record FrameOffload(
        boolean needsChecksum,
        boolean dataValid,
        Segmentation segmentation,
        int headerBytes,
        int segmentBytes,
        int checksumStart,
        int checksumOffset) {
    /** A frame complete in itself. */
    public static final FrameOffload NONE =
            new FrameOffload(false, false, Segmentation.NONE, 0, 0, 0, 0);

    /** A frame whose checksums are known to be right. */
    public static final FrameOffload VALID =
            new FrameOffload(false, true, Segmentation.NONE, 0, 0, 0, 0);

    /** How a large frame is cut. */
    public enum Segmentation {
        NONE,
        TCP4,
        TCP6
    }
}
