package dev.javisor.mainlinekvm;

/** A case cannot tell anything here, and says why. */
final class SkippedException extends RuntimeException {
    private static final long serialVersionUID = 1;

    SkippedException(String reason) {
        super(reason);
    }
}
