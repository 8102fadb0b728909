package dev.javisor.guestkit;

/** Hears how far the preparation of a guest is. Called from the preparing thread only. */
public interface Progress {
    /** Nobody listens. */
    Progress NONE =
            new Progress() {
                @Override
                public void step(String what) {}

                @Override
                public void bytes(long done, long total) {}
            };

    /** A new step begins, such as {@code downloading linux-image-…}. */
    void step(String what);

    /** How far the current step is, in bytes; {@code total} is 0 where it is not known. */
    void bytes(long done, long total);
}
