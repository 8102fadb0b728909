package dev.javisor.softcpu.core;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.javisor.hypervisor.GuestMemory;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Translation and its faults (SDM 3A chapter 4), and that the TLB never serves what it must not.
 */
class PagingTest {
    private static final int P = 1;
    private static final int W = 2;
    private static final int U = 4;
    private static final int A = 32;
    private static final int D = 64;
    private static final int PS = 128;
    private static final int G = 256;
    private static final long NX = 1L << 63;
    private static final long PML4 = 0x1000;
    private static final long PDPT = 0x2000;
    private static final long PD = 0x3000;
    private static final long PT = 0x4000;
    private static final long LINEAR = 0x7000;

    private GuestMemory memory = memory();
    private Cpu cpu = new Cpu(0, new Ram(memory));

    private static GuestMemory memory() {
        return new GuestMemory(
                MemorySegment.ofArray(new long[0x400000 / 8]),
                List.of(new GuestMemory.Region(0, 0, 0x400000)),
                () -> {});
    }

    @BeforeEach
    void enterLongMode() {
        memory = memory();
        cpu = new Cpu(0, new Ram(memory));
        memory.writeLong(PML4, PDPT | P | W | U);
        memory.writeLong(PDPT, PD | P | W | U);
        memory.writeLong(PD, PT | P | W | U);
        cpu.cr0 |= Cpu.CR0_PE | Cpu.CR0_PG | Cpu.CR0_WP;
        cpu.cr4 |= Cpu.CR4_PAE | Cpu.CR4_PGE;
        cpu.efer = Cpu.EFER_LMA | Cpu.EFER_LME | Cpu.EFER_NXE;
        cpu.cr3 = PML4;
        cpu.segAttributes[Seg.CS] = Seg.L | Seg.PRESENT | Seg.S | Seg.CODE | Seg.RW;
        setCpl(0);
    }

    private void setCpl(int cpl) {
        cpu.segSelector[Seg.CS] = cpl;
        cpu.segAttributes[Seg.SS] = Seg.PRESENT | Seg.S | Seg.RW | cpl << Seg.DPL_SHIFT;
        cpu.updateMode();
    }

    private void map(long entry) {
        memory.writeLong(PT + 8 * (LINEAR >>> 12), entry);
    }

    private GuestFault fault(Runnable access) {
        GuestFault fault = catchThrowableOfType(GuestFault.class, access::run);
        assertThat(fault).as("a fault").isNotNull();
        return fault;
    }

    private int readError() {
        return pageFaultError(() -> cpu.mmu.read8(LINEAR));
    }

    private int writeError() {
        return pageFaultError(() -> cpu.mmu.write8(LINEAR, 1));
    }

    private int pageFaultError(Runnable access) {
        GuestFault fault = fault(access);
        assertThat(fault.vector()).isEqualTo(GuestFault.PF);
        assertThat(cpu.cr2).isEqualTo(LINEAR);
        return fault.errorCode();
    }

    @Test
    void read_presentPage_translatesAndSetsAccessed() {
        map(0x10000 | P);
        memory.writeLong(0x10008, 0x1122334455667788L);
        assertThat(cpu.mmu.read64(LINEAR + 8)).isEqualTo(0x1122334455667788L);
        assertThat(memory.readLong(PT + 8 * 7) & (A | D)).isEqualTo(A);
        assertThat(memory.readLong(PD) & A).isEqualTo(A);
    }

    @Test
    void write_afterRead_setsDirty() {
        map(0x10000 | P | W);
        cpu.mmu.read8(LINEAR);
        cpu.mmu.write8(LINEAR, 5);
        assertThat(memory.readLong(PT + 8 * 7) & (A | D)).isEqualTo(A | D);
        assertThat(memory.readByte(0x10000)).isEqualTo(5);
    }

    @Test
    void access_notPresent_faultsWithTheAccessBits() {
        assertThat(readError()).isZero();
        assertThat(writeError()).isEqualTo(2);
        setCpl(3);
        assertThat(readError()).isEqualTo(4);
        assertThat(writeError()).isEqualTo(6);
    }

    @Test
    void write_readOnlyPage_dependsOnWriteProtect() {
        map(0x10000 | P);
        assertThat(writeError()).isEqualTo(3);
        cpu.cr0 &= ~Cpu.CR0_WP;
        cpu.mmu.flushAll();
        cpu.mmu.write8(LINEAR, 9);
        assertThat(memory.readByte(0x10000)).isEqualTo(9);
    }

    @Test
    void access_supervisorPageFromUser_faultsEvenAfterSupervisorUsedIt() {
        map(0x10000 | P | W);
        cpu.mmu.write8(LINEAR, 1);
        setCpl(3);
        assertThat(readError()).isEqualTo(5);
        assertThat(writeError()).isEqualTo(7);
    }

    @Test
    void read_userPageUnderSmap_needsAcFlag() {
        map(0x10000 | P | W | U);
        cpu.cr4 |= Cpu.CR4_SMAP;
        cpu.updateMode();
        assertThat(readError()).isEqualTo(1);
        cpu.flags.system |= Flags.AC;
        cpu.mmu.selectContext();
        cpu.mmu.read8(LINEAR);
        cpu.flags.system &= ~Flags.AC;
        cpu.mmu.selectContext();
        assertThat(writeError()).isEqualTo(3);
    }

    @Test
    void fetch_noExecuteOrSmep_faults() {
        map(0x10000 | P | W | NX);
        assertThat(pageFaultError(() -> cpu.mmu.translateFetch(LINEAR))).isEqualTo(0x11);
        map(0x10000 | P | W | U);
        assertThat(cpu.mmu.translateFetch(LINEAR)).isEqualTo(0x10000);
        cpu.cr4 |= Cpu.CR4_SMEP;
        assertThat(pageFaultError(() -> cpu.mmu.translateFetch(LINEAR))).isEqualTo(0x11);
    }

    @Test
    void access_reservedBit_faultsWithRsvd() {
        map(0x10000 | P | 1L << 45);
        assertThat(readError()).isEqualTo(9);
        cpu.efer &= ~Cpu.EFER_NXE;
        map(0x10000 | P | NX);
        assertThat(readError()).isEqualTo(9);
    }

    @Test
    void access_nonCanonical_isGeneralProtection() {
        GuestFault fault = fault(() -> cpu.mmu.read8(1L << 48));
        assertThat(fault.vector()).isEqualTo(GuestFault.GP);
        assertThat(fault.errorCode()).isZero();
    }

    @Test
    void invlpg_changedMapping_isSeen() {
        map(0x10000 | P | W);
        cpu.mmu.write8(LINEAR, 1);
        map(0x11000 | P | W);
        cpu.mmu.flushPage(LINEAR);
        cpu.mmu.write8(LINEAR, 2);
        assertThat(memory.readByte(0x10000)).isEqualTo(1);
        assertThat(memory.readByte(0x11000)).isEqualTo(2);
    }

    @Test
    void invlpg_largePage_dropsAllOfIt() {
        memory.writeLong(PD, 0x200000L | P | W | PS);
        cpu.mmu.write8(0x7000, 1);
        cpu.mmu.write8(0x9000, 1);
        memory.writeLong(PD, 0L | P | W | PS);
        cpu.mmu.flushPage(0x7000);
        cpu.mmu.write8(0x9000, 7);
        assertThat(memory.readByte(0x209000)).isEqualTo(1);
        assertThat(memory.readByte(0x9000)).isEqualTo(7);
    }

    @Test
    void cr3Write_globalPagesStay_othersGo() {
        map(0x10000 | P | W | G);
        memory.writeLong(PT + 8 * 8, 0x12000 | P | W);
        cpu.mmu.read8(LINEAR);
        cpu.mmu.read8(0x8000);
        map(0x11000 | P | W);
        memory.writeLong(PT + 8 * 8, 0x13000 | P | W);
        memory.writeByte(0x10000, 1);
        memory.writeByte(0x13000, 3);
        cpu.mmu.flushNonGlobal();
        assertThat(cpu.mmu.read8(LINEAR)).isEqualTo(1);
        assertThat(cpu.mmu.read8(0x8000)).isEqualTo(3);
    }

    /** Of 400 pages each third is global; each flush comes after all of them were used. */
    @Test
    void cr3Write_fewOrManyPagesUsed_dropsExactlyWhatIsNotGlobal() {
        for (int pages : new int[] {3, 100, 400, 100}) {
            cpu.mmu.flushAll();
            for (int round = 0; round < 3; round++) {
                for (int page = 0; page < pages; page++) {
                    int flags = page % 3 == 0 ? P | W | G : P | W;
                    memory.writeLong(PT + 8 * page, 0x200000 | flags);
                    memory.writeByte(0x200000, 1);
                    assertThat(cpu.mmu.read8((long) page << 12)).isEqualTo(1);
                    memory.writeLong(PT + 8 * page, 0x300000 | P | W);
                }
                memory.writeByte(0x300000, 2);
                cpu.mmu.flushNonGlobal();
                for (int page = 0; page < pages; page++) {
                    assertThat(cpu.mmu.read8((long) page << 12))
                            .as("page %d of %d, round %d", page, pages, round)
                            .isEqualTo(page % 3 == 0 ? 1 : 2);
                    cpu.mmu.flushPage((long) page << 12);
                }
            }
        }
    }

    @Test
    void write_acrossPages_faultsBeforeAnyByte() {
        map(0x10000 | P | W);
        GuestFault fault = fault(() -> cpu.mmu.write64(LINEAR + 4092, -1));
        assertThat(fault.vector()).isEqualTo(GuestFault.PF);
        assertThat(cpu.cr2).isEqualTo(LINEAR + 4096);
        assertThat(memory.readInt(0x10000 + 4092)).isZero();
    }

    @Test
    void write_acrossPages_splits() {
        map(0x10000 | P | W);
        memory.writeLong(PT + 8 * 8, 0x20000 | P | W);
        cpu.mmu.write64(LINEAR + 4093, 0x8877665544332211L);
        assertThat(cpu.mmu.read64(LINEAR + 4093)).isEqualTo(0x8877665544332211L);
        assertThat(memory.readByte(0x20000)).isEqualTo(0x44);
    }

    @Test
    void walk_32BitPaging_translatesSmallAndLargePages() {
        cpu.efer = 0;
        cpu.cr4 = Cpu.CR4_PSE;
        cpu.segAttributes[Seg.CS] = Seg.DB | Seg.PRESENT | Seg.S | Seg.CODE | Seg.RW;
        cpu.cr3 = 0x5000;
        memory.writeInt(0x5000, 0x6000 | P | W);
        memory.writeInt(0x6000 + 4 * 7, 0x10000 | P | W);
        memory.writeInt(0x5004, P | W | PS);
        setCpl(0);
        cpu.mmu.flushAll();
        memory.writeByte(0x10001, 0x5A);
        assertThat(cpu.mmu.read8(LINEAR + 1)).isEqualTo(0x5A);
        assertThat(cpu.mmu.read8(0x400000 + 0x10001)).isEqualTo(0x5A);
    }

    @Test
    void codePage_marked_sendsStoresToTheSlowPathAndAgesItsVersion() {
        map(0x10000 | P | W);
        cpu.mmu.write8(LINEAR, 1);
        CodePages pages = cpu.mmu.ram().codePages;
        pages.setRevoker((page, mark) -> {
            mark.run();
            cpu.mmu.revokeWrites(page);
        });
        int version = pages.markCode(0x10);
        cpu.mmu.write8(LINEAR, 2);
        assertThat(pages.version(0x10)).isNotEqualTo(version);
        version = pages.markCode(0x10);
        memory.writeByte(0x10500, 1);
        assertThat(pages.version(0x10)).isNotEqualTo(version);
    }

    @Test
    void markCode_asksForRevocation_beforeAnyoneSeesTheMark() {
        CodePages pages = cpu.mmu.ram().codePages;
        boolean[] markedEarly = new boolean[1];
        pages.setRevoker((page, mark) -> {
            markedEarly[0] = pages.isCode(0x10);
            mark.run();
        });
        pages.markCode(0x10);
        assertThat(markedEarly[0]).isFalse();
        assertThat(pages.isCode(0x10)).isTrue();
    }

    @Test
    void markCode_pageWrittenMeanwhile_isMarkedAgainAtItsNewVersion() {
        CodePages pages = cpu.mmu.ram().codePages;
        int[] revocations = new int[1];
        pages.setRevoker((page, mark) -> {
            mark.run();
            if (revocations[0]++ == 0) {
                pages.written(0x10);
            }
        });
        int version = pages.markCode(0x10);
        assertThat(revocations[0]).isEqualTo(2);
        assertThat(pages.isCode(0x10)).isTrue();
        assertThat(pages.version(0x10)).isEqualTo(version);
    }

    @Test
    void dirtyTracking_writesAfterEachFetch_areSeenOnce() {
        map(0x10000 | P | W);
        cpu.mmu.write8(LINEAR, 1);
        DirtyPages dirty = cpu.mmu.ram().dirty;
        dirty.setEnabled(true);
        cpu.mmu.revokeWrites();
        assertThat(dirty.take(0x10)).isFalse();
        cpu.mmu.read8(LINEAR);
        cpu.mmu.write8(LINEAR, 2);
        cpu.mmu.write8(LINEAR, 3);
        assertThat(dirty.take(0x10)).isTrue();
        cpu.mmu.revokeWrites();
        assertThat(dirty.take(0x10)).isFalse();
    }

    @Test
    void compareAndSet_everySizeAndOffset_changesOnlyItsBytes() {
        map(0x10000 | P | W);
        memory.writeLong(PT + 8 * 8, 0x20000 | P | W);
        for (int size = 1; size <= 8; size *= 2) {
            long mask = -1L >>> (64 - 8 * size);
            for (long at = LINEAR + 4080; at < LINEAR + 4100; at++) {
                cpu.mmu.write64(LINEAR + 4080, 0);
                cpu.mmu.write64(LINEAR + 4096, 0);
                cpu.mmu.write(at, size, 0x1122334455667788L);
                long old = 0x1122334455667788L & mask;
                assertThat(cpu.mmu.compareAndSet(at, size, old ^ 1, 5)).isFalse();
                assertThat(cpu.mmu.compareAndSet(at, size, old, 0x99AABBCCDDEEFF00L)).isTrue();
                assertThat(cpu.mmu.read(at, size)).isEqualTo(0x99AABBCCDDEEFF00L & mask);
                assertThat(cpu.mmu.read8(at - 1)).isZero();
                assertThat(cpu.mmu.read8(at + size)).isZero();
            }
        }
    }
}
