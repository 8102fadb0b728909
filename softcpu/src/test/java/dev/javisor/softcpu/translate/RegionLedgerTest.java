package dev.javisor.softcpu.translate;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.softcpu.block.Block;
import dev.javisor.softcpu.block.RandomInstructions;
import dev.javisor.softcpu.block.Region;
import dev.javisor.softcpu.block.RegionExits;
import dev.javisor.softcpu.block.RegionPages;
import dev.javisor.softcpu.core.CodePages;
import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.decode.Insn;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class RegionLedgerTest {
    private static final int SIZE = 100;

    private final CodePages codePages = RandomInstructions.cpu().mmu.ram().codePages;
    private final RegionLedger ledger = new RegionLedger(codePages);

    /** What a block cache holds. */
    private final List<Block> blocks = new ArrayList<>();

    private static final class Plain extends Region {
        Plain(int page) {
            super(
                    new RegionPages(new long[] {0}, new int[] {page}, new int[] {0}),
                    0,
                    0,
                    false,
                    new RegionExits(0));
        }

        @Override
        public int run(Cpu cpu, int budget) {
            return 0;
        }
    }

    private Region add(int page, long limit) {
        Block block = new Block(0, 0, 64, page, 0, -1, 0, new Insn[0], 0, 0);
        blocks.add(block);
        Region region = new Plain(page);
        region.placeIn(block);
        ledger.add(region, SIZE, limit);
        return region;
    }

    private long placed() {
        return blocks.stream().filter(b -> b.region != null).count();
    }

    private static void enter(Region region, int times) {
        for (int i = 0; i < times; i++) {
            assertThat(region.budget()).isPositive();
        }
    }

    @Test
    void beyondTheLimit_theColdestQuarter_losesItsPlace() {
        int limit = 100 * SIZE;
        List<Region> regions = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            Region region = add(0, limit);
            regions.add(region);
            enter(region, i % 2 == 0 ? 100 : 1);
        }
        assertThat(placed()).isEqualTo(100);
        add(0, limit);
        assertThat(placed()).isEqualTo(76);
        assertThat(ledger.evicted()).isEqualTo(25);
        assertThat(ledger.bytes()).isEqualTo(76 * SIZE);
        for (int i = 0; i < 100; i += 2) {
            assertThat(blocks.get(i).region).isSameAs(regions.get(i));
        }
    }

    @Test
    void heatOfLongAgo_doesNotCount() {
        int limit = 100 * SIZE;
        for (int i = 0; i < 100; i++) {
            enter(add(0, limit), i < 50 ? 1000 : 10);
        }
        add(0, limit);
        for (int i = 0; i < 50; i++) {
            Region region = blocks.get(i).region;
            assertThat(region).isNotNull();
        }
        // Only the others run from now on, and the new ones.
        for (int i = 50; i < blocks.size(); i++) {
            Region region = blocks.get(i).region;
            if (region != null) {
                enter(region, 10);
            }
        }
        while (ledger.evicted() == 25) {
            enter(add(0, limit), 1);
        }
        long oldAndHot = blocks.subList(0, 50).stream().filter(b -> b.region != null).count();
        assertThat(oldAndHot).isEqualTo(25);
    }

    @Test
    void whatIsReplacedOrRewritten_makesRoom_withoutEviction() {
        int limit = 100 * SIZE;
        for (int i = 0; i < 100; i++) {
            enter(add(i % 4, limit), 1);
        }
        codePages.markCode(1);
        codePages.written(1);
        new Plain(0).placeIn(blocks.getFirst());
        add(0, limit);
        assertThat(ledger.evicted()).isZero();
        assertThat(ledger.size()).isEqualTo(75);
        assertThat(ledger.bytes()).isEqualTo(75 * SIZE);
    }

    @Test
    void evicted_mayBecomeHotAgain() {
        Region region = add(0, Long.MAX_VALUE);
        blocks.getFirst().heat = Integer.MIN_VALUE;
        region.evict();
        assertThat(blocks.getFirst().heat).isZero();
        assertThat(blocks.getFirst().region).isNull();
    }
}
