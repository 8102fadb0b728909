package dev.javisor.kvm;

/** struct kvm_sregs with its struct kvm_segment and struct kvm_dtable: offsets in bytes. */
final class SregsLayout {
    static final int SIZE_BYTES = 312;
    static final int CS = 0;
    static final int DS = 24;
    static final int ES = 48;
    static final int FS = 72;
    static final int GS = 96;
    static final int SS = 120;
    static final int TR = 144;
    static final int LDT = 168;
    static final int GDT = 192;
    static final int IDT = 208;
    static final int CR0 = 224;
    static final int CR2 = 232;
    static final int CR3 = 240;
    static final int CR4 = 248;
    static final int CR8 = 256;
    static final int EFER = 264;
    static final int APIC_BASE = 272;

    /** 256 bits; at most one is set: an interrupt to inject. */
    static final int INTERRUPT_BITMAP = 280;

    // struct kvm_segment
    static final int BASE = 0;
    static final int LIMIT = 8;
    static final int SELECTOR = 12;
    static final int TYPE = 14;
    static final int PRESENT = 15;
    static final int DPL = 16;
    static final int DB = 17;
    static final int S = 18;
    static final int L = 19;
    static final int G = 20;
    static final int AVL = 21;
    static final int UNUSABLE = 22;

    // struct kvm_dtable
    static final int TABLE_BASE = 0;
    static final int TABLE_LIMIT = 8;

    private SregsLayout() {}
}
