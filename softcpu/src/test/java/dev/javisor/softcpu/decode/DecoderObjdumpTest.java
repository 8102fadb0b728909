package dev.javisor.softcpu.decode;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The decoder against binutils. Longer, or again: {@code mvn -pl softcpu -am test
 * -Dtest=DecoderObjdumpTest -Dsurefire.failIfNoSpecifiedTests=false -Djavisor.decoder.cases=N
 * -Djavisor.decoder.seed=N}.
 */
class DecoderObjdumpTest {
    private static final int CASES = Integer.getInteger("javisor.decoder.cases", 100_000);
    private static final long SEED = Long.getLong("javisor.decoder.seed", System.nanoTime());

    @TempDir Path directory;

    @ParameterizedTest(name = "{0}-bit")
    @ValueSource(ints = {16, 32, 64})
    void randomBytes_decodeAsObjdumpDoes(int mode) throws Exception {
        assumeTrue(Objdump.isInstalled(), "objdump (Debian package binutils) is not installed");
        ObjdumpComparison comparison = new ObjdumpComparison(mode, SEED + mode, directory);
        System.out.println("decoder against objdump, seed " + SEED);
        assertThat(comparison.run(CASES)).as("seed %d", SEED).isEmpty();
        System.out.println(comparison.summary());
    }
}
