package dev.javisor.cli.image;

import dev.javisor.base.Sizes;
import dev.javisor.block.DiskImage;
import dev.javisor.block.image.ChainExtent;
import dev.javisor.block.qcow2.LiveBitmaps;
import dev.javisor.block.qcow2.Qcow2Check;
import dev.javisor.block.qcow2.Qcow2Image;
import dev.javisor.block.qcow2.Qcow2Info;
import dev.javisor.block.qcow2.Qcow2Snapshot;
import dev.javisor.block.qcow2.Qcow2Snapshots;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** Results as JSON with the keys that qemu-img has, and as lines for people. */
final class Reports {
    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

    private Reports() {}

    static String printable(String text) {
        return text.replaceAll("\\p{Cntrl}", "?");
    }

    static ObjectNode info(DiskImage image) {
        ObjectNode node = NODES.objectNode();
        node.put("filename", image.name());
        node.put("format", image.format().id());
        node.put("virtual-size", image.sizeBytes());
        if (image.allocatedBytes() >= 0) {
            node.put("actual-size", image.allocatedBytes());
        }
        if (image instanceof Qcow2Image qcow2) {
            qcow2Info(node, qcow2);
        } else {
            node.put("dirty-flag", false);
        }
        return node;
    }

    private static void qcow2Info(ObjectNode node, Qcow2Image image) {
        Qcow2Info info = image.info();
        node.put("cluster-size", info.clusterBytes());
        node.put("dirty-flag", info.dirty());
        if (!info.backingFile().isEmpty()) {
            node.put("backing-filename", printable(info.backingFile()));
            if (!info.backingFormat().isEmpty()) {
                node.put("backing-filename-format", printable(info.backingFormat()));
            }
        }
        List<Qcow2Snapshot> snapshots = new Qcow2Snapshots(image).list();
        if (!snapshots.isEmpty()) {
            ArrayNode list = node.putArray("snapshots");
            snapshots.forEach(each -> list.add(snapshot(each)));
        }
        ObjectNode specific = node.putObject("format-specific");
        specific.put("type", "qcow2");
        ObjectNode data = specific.putObject("data");
        data.put("compat", info.version() == 2 ? "0.10" : "1.1");
        data.put("compression-type", info.compression());
        data.put("refcount-bits", info.refcountBits());
        if (info.version() >= 3) {
            data.put("lazy-refcounts", info.lazyRefcounts());
            data.put("corrupt", info.corrupt());
            data.put("extended-l2", info.extendedL2());
        }
        if (!info.dataFile().isEmpty()) {
            data.put("data-file", printable(info.dataFile()));
            data.put("data-file-raw", info.dataFileRaw());
        }
        List<LiveBitmaps.BitmapInfo> bitmaps = image.bitmaps().list();
        if (!bitmaps.isEmpty()) {
            ArrayNode list = data.putArray("bitmaps");
            bitmaps.forEach(each -> list.add(bitmap(each)));
        }
    }

    private static ObjectNode bitmap(LiveBitmaps.BitmapInfo bitmap) {
        ObjectNode node = NODES.objectNode();
        ArrayNode flags = node.putArray("flags");
        if (bitmap.inconsistent()) {
            flags.add("in-use");
        }
        if (bitmap.recording()) {
            flags.add("auto");
        }
        node.put("name", printable(bitmap.name()));
        node.put("granularity", bitmap.granularityBytes());
        return node;
    }

    static ObjectNode snapshot(Qcow2Snapshot snapshot) {
        ObjectNode node = NODES.objectNode();
        node.put("id", snapshot.id());
        node.put("name", printable(snapshot.name()));
        node.put("vm-state-size", snapshot.vmStateBytes());
        node.put("date-sec", snapshot.taken().getEpochSecond());
        node.put("date-nsec", snapshot.taken().getNano());
        node.put("vm-clock-sec", snapshot.vmClockNanos() / 1_000_000_000);
        node.put("vm-clock-nsec", snapshot.vmClockNanos() % 1_000_000_000);
        return node;
    }

    static ObjectNode extent(ChainExtent extent) {
        ObjectNode node = NODES.objectNode();
        node.put("start", extent.offset());
        node.put("length", extent.lengthBytes());
        node.put("depth", extent.depth());
        node.put("present", extent.present());
        node.put("zero", extent.zero());
        node.put("data", !extent.zero());
        node.put("compressed", extent.compressed());
        if (extent.hostOffset() >= 0) {
            node.put("offset", extent.hostOffset());
        }
        return node;
    }

    static ObjectNode check(Path file, Qcow2Check.Result result) {
        ObjectNode node = NODES.objectNode();
        node.put("filename", file.toString());
        node.put("format", "qcow2");
        node.put("check-errors", 0);
        node.put("image-end-offset", result.imageEndOffset());
        node.put("total-clusters", result.totalClusters());
        node.put("allocated-clusters", result.allocatedClusters());
        node.put("fragmented-clusters", result.fragmentedClusters());
        node.put("compressed-clusters", result.compressedClusters());
        putIfAny(node, "corruptions", result.corruptions());
        putIfAny(node, "leaks", result.leaks());
        putIfAny(node, "corruptions-fixed", result.corruptionsFixed());
        putIfAny(node, "leaks-fixed", result.leaksFixed());
        return node;
    }

    private static void putIfAny(ObjectNode node, String key, long count) {
        if (count > 0) {
            node.put(key, count);
        }
    }

    /** What {@link #info} tells, as lines. */
    static List<String> human(ObjectNode info) {
        List<String> lines = new ArrayList<>();
        lines.add("image: " + info.path("filename").asString());
        lines.add("file format: " + info.path("format").asString());
        lines.add("virtual size: " + size(info.path("virtual-size")));
        if (info.has("actual-size")) {
            lines.add("disk size: " + size(info.path("actual-size")));
        }
        for (String key : List.of("cluster-size", "backing-filename", "backing-filename-format")) {
            if (info.has(key)) {
                lines.add(
                        key.replace("cluster-size", "cluster_size").replace('-', ' ')
                                + ": "
                                + info.path(key).asString());
            }
        }
        for (JsonNode each : info.path("snapshots")) {
            lines.add(
                    "snapshot: %s (%s)"
                            .formatted(each.path("id").asString(), each.path("name").asString()));
        }
        JsonNode data = info.path("format-specific").path("data");
        if (data.isObject()) {
            lines.add("Format specific information:");
            data.properties()
                    .forEach(each -> {
                        String value =
                                each.getValue().isValueNode()
                                        ? each.getValue().asString()
                                        : each.getValue().toString();
                        lines.add("    %s: %s".formatted(each.getKey().replace('-', ' '), value));
                    });
        }
        return lines;
    }

    private static String size(JsonNode bytes) {
        return "%s (%d bytes)".formatted(Sizes.approximate(bytes.asLong()), bytes.asLong());
    }
}
