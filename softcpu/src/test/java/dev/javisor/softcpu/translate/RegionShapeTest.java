package dev.javisor.softcpu.translate;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.softcpu.block.Block;
import dev.javisor.softcpu.block.Uop;
import dev.javisor.softcpu.decode.Insn;
import org.junit.jupiter.api.Test;

class RegionShapeTest {
    private static Block block(long at, int codes) {
        Insn[] code = new Insn[codes];
        for (int i = 0; i < codes; i++) {
            code[i] = new Insn();
            code[i].uop = Uop.NOP;
            code[i].ip = at + i;
            code[i].nextIp = at + i + 1;
        }
        return new Block(at, at, 64, 1, 0, -1, 0, code, codes, at + codes);
    }

    @Test
    void rootLongerThanTheLimit_isARegion() {
        Block root = block(0x1000, 90);
        root.fallThrough = block(0x1000 + 90, 5);
        RegionShape shape =
                new RegionShape(root, (linear, key) -> null, 100, new RegionShape.Limits(50, 64));
        assertThat(shape.blocks).containsExactly(root);
        assertThat(shape.isCut()).isTrue();
    }

    @Test
    void rootLongerThanARegionMayBe_isCutWhereItMayLeave() {
        Block root = block(0x1000, 64);
        root.code[20].uop = Uop.LOAD64;
        root.code[31].uop = Uop.LOAD64;
        root.fallThrough = block(0x1000 + 64, 5);
        RegionShape shape =
                new RegionShape(root, (linear, key) -> null, 100, new RegionShape.Limits(30, 30));
        assertThat(shape.blocks).containsExactly(root);
        assertThat(shape.codes()).isEqualTo(20);
        assertThat(shape.codesOf(root)).isEqualTo(20);
        assertThat(shape.isCut()).as("a larger region would be possible").isFalse();
    }

    @Test
    void followers_upToTheLimit_belongToIt() {
        Block root = block(0x1000, 30);
        Block second = block(0x1000 + 30, 20);
        Block third = block(0x1000 + 50, 1);
        root.fallThrough = second;
        second.fallThrough = third;
        RegionShape shape =
                new RegionShape(root, (linear, key) -> null, 100, new RegionShape.Limits(50, 64));
        assertThat(shape.blocks).containsExactly(root, second);
        assertThat(shape.isCut()).isTrue();
    }
}
