package dev.javisor.block.image;

import dev.javisor.block.DiskImage;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Where each part of a disk comes from. */
public final class ImageMap {
    private ImageMap() {}

    /** Gives the extents of a part of a disk in order, the longest that can be told. */
    public static void visit(DiskImage image, long from, long to, Consumer<ChainExtent> visitor) {
        @Nullable ChainExtent current = null;
        for (long at = from; at < to; ) {
            ChainExtent next = ChainExtent.at(image, at, to - at);
            at += next.lengthBytes();
            if (current != null && current.continuesWith(next)) {
                current = current.joined(next);
            } else {
                if (current != null) {
                    visitor.accept(current);
                }
                current = next;
            }
        }
        if (current != null) {
            visitor.accept(current);
        }
    }
}
