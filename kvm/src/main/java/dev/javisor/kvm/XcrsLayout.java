package dev.javisor.kvm;

/** struct kvm_xcrs: offsets in bytes. */
final class XcrsLayout {
    static final int SIZE_BYTES = 392;
    static final int COUNT = 0;
    static final int FIRST = 8;
    static final int ENTRY_BYTES = 16;
    static final int ENTRY_XCR = 0;
    static final int ENTRY_VALUE = 8;

    private XcrsLayout() {}
}
