package dev.javisor.block.qcow2;

import static dev.javisor.block.qcow2.Qcow2Layout.*;

/**
 * What an image's header says.
 *
 * @param compression {@code zlib} or {@code zstd}
 * @param backingFile as it is written there, empty if there is none
 * @param backingFormat empty if it is not named
 * @param dataFile as it is written there, empty if there is none
 */
public record Qcow2Info(
        int version,
        int clusterBytes,
        int refcountBits,
        boolean lazyRefcounts,
        boolean extendedL2,
        boolean dirty,
        boolean corrupt,
        String compression,
        String backingFile,
        String backingFormat,
        String dataFile,
        boolean dataFileRaw,
        boolean encrypted,
        int snapshots) {
    static Qcow2Info of(Qcow2Header header) {
        return new Qcow2Info(
                header.version,
                header.clusterBytes(),
                1 << header.refcountOrder,
                header.isLazy(),
                header.isExtendedL2(),
                header.isDirty(),
                header.isCorrupt(),
                header.compressionType == 0 ? "zlib" : "zstd",
                header.backingFile,
                header.text(EXTENSION_BACKING_FORMAT).orElse(""),
                header.hasDataFile() ? header.text(EXTENSION_DATA_FILE).orElse("") : "",
                header.isDataFileRaw(),
                header.cryptMethod != CRYPT_NONE,
                header.snapshots);
    }
}
