package dev.javisor.vmm;

import dev.javisor.base.TimeSource;
import dev.javisor.block.BlockBackend;
import dev.javisor.block.BlockException;
import dev.javisor.block.DiskFiles;
import dev.javisor.block.DiskImage;
import dev.javisor.block.ImageBackend;
import dev.javisor.block.ThrottledBackend;
import dev.javisor.block.nbd.NbdAddress;
import dev.javisor.block.nbd.NbdDisk;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * A machine's open disks, in the order of its spec.
 *
 * @param stopper pauses the machine for a request that is to be tried again
 */
record Disks(List<BlockBackend> backends, Consumer<BlockException> stopper) {
    Disks {
        backends = List.copyOf(backends);
    }

    /** Opens one. */
    static BlockBackend open(DiskSpec spec, TimeSource time) {
        BlockBackend backend =
                switch (spec.source()) {
                    case DiskSource.File(Path path) -> openFile(path, spec);
                    case DiskSource.Nbd(NbdAddress address, Duration patience) ->
                            NbdDisk.open(
                                    address, spec.readOnly(), spec.serial().orElse(""), patience);
                };
        return spec.limits().isLimited()
                ? new ThrottledBackend(backend, spec.limits(), time)
                : backend;
    }

    private static BlockBackend openFile(Path path, DiskSpec spec) {
        DiskImage image =
                DiskFiles.openForGuest(path, spec.format(), spec.readOnly(), spec.references());
        return spec.serial().isPresent()
                ? new ImageBackend(image, spec.serial().get())
                : new ImageBackend(image);
    }

    void stopped(BlockException error) {
        stopper.accept(error);
    }

    /**
     * A disk by the name that the guest sees ({@link BlockBackend#id}), or by its number from 0.
     *
     * @throws VmException if there is none, or more than one
     */
    int index(String name) {
        List<Integer> found =
                IntStream.range(0, backends.size())
                        .filter(i ->
                                backends.get(i).id().equals(name)
                                        || Integer.toString(i).equals(name))
                        .boxed()
                        .toList();
        if (found.size() != 1) {
            throw new VmException(
                    "%s disk '%s': there are %s"
                            .formatted(
                                    found.isEmpty() ? "no" : "more than one",
                                    name,
                                    IntStream.range(0, backends.size())
                                            .mapToObj(i -> i + " " + backends.get(i).id())
                                            .collect(Collectors.joining(", "))));
        }
        return found.getFirst();
    }
}
