package dev.javisor.softcpu.core;

/**
 * What a vCPU's instructions need from around the core: its clock, its model-specific registers,
 * its identity, its local APIC. Called on the vCPU's thread.
 */
public interface Platform {
    /** The time-stamp counter now. */
    long tsc();

    /**
     * @throws GuestFault #GP(0) if there is no such register
     */
    long readMsr(int index);

    /**
     * @throws GuestFault #GP(0) if there is no such register or the value is not allowed
     */
    void writeMsr(int index, long value);

    /** Puts EAX, EBX, ECX, EDX, zero-extended, into the first four elements. */
    void cpuid(int leaf, int subleaf, long[] registers);

    /** CR4 bits that this model has. */
    long cr4Bits();

    /** XCR0 bits that this model has. */
    long xcr0Bits();

    /** CR8: bits 7..4 of the local APIC's task priority. */
    int taskPriorityClass();

    void setTaskPriorityClass(int value);

    /** Ends the halt of the vCPU with this APIC id (KVM_HC_KICK_CPU). */
    void wake(int apicId);

    /** Before a platform is attached: no identity, no registers, a clock that stands. */
    Platform NONE = new NoPlatform();

    /** See {@link #NONE}. */
    final class NoPlatform implements Platform {
        private NoPlatform() {}

        @Override
        public long tsc() {
            return 0;
        }

        @Override
        public long readMsr(int index) {
            return 0;
        }

        @Override
        public void writeMsr(int index, long value) {}

        @Override
        public void cpuid(int leaf, int subleaf, long[] registers) {
            registers[0] = 0;
            registers[1] = 0;
            registers[2] = 0;
            registers[3] = 0;
        }

        @Override
        public long cr4Bits() {
            return 0;
        }

        @Override
        public long xcr0Bits() {
            return 1;
        }

        @Override
        public int taskPriorityClass() {
            return 0;
        }

        @Override
        public void setTaskPriorityClass(int value) {}

        @Override
        public void wake(int apicId) {}
    }
}
