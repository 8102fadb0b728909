package dev.javisor.block.nbd;

import dev.javisor.block.DiskImage;
import java.util.List;

/**
 * A disk that a server offers.
 *
 * @param name clients ask for it; the empty one is what they get who ask for none
 * @param image belongs to the caller
 * @param readOnly whether clients may only read, whatever the image allows
 * @param bitmaps dirty bitmaps of a qcow2 image that clients may read
 */
public record NbdExport(
        String name, String description, DiskImage image, boolean readOnly, List<String> bitmaps) {
    public NbdExport {
        bitmaps = List.copyOf(bitmaps);
        if (name.length() > 255 || description.length() > 255) {
            throw new IllegalArgumentException("a name or description longer than 255");
        }
        readOnly |= image.isReadOnly();
    }
}
