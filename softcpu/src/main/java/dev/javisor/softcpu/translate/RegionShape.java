package dev.javisor.softcpu.translate;

import dev.javisor.softcpu.block.Block;
import dev.javisor.softcpu.block.RegionPages;
import dev.javisor.softcpu.block.Uop;
import dev.javisor.softcpu.decode.Insn;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;

/**
 * Which blocks make a region, and in which order: from the root along the links that tier one has
 * made, that is along what was executed, hottest first. Calls are followed into the callee; where
 * the callee returns is found by address.
 */
final class RegionShape {
    private static final int MAX_PAGES = 4;

    /** Blocks executed this many times less than the root are left out. */
    private static final int COLD = 64;

    private static final int MAX_RETURN_SITES = 3;

    /**
     * Most dispatch codes.
     *
     * @param codes of all blocks, but the root may have more
     * @param rootCodes of the root
     */
    record Limits(int codes, int rootCodes) {}

    private final Translator.BlockFinder finder;
    private final int heatLimit;
    private final Limits limits;
    private final Map<Long, Integer> indexByIp = new HashMap<>();
    private final Map<Long, Block> pageBlocks = new LinkedHashMap<>();
    final List<Block> blocks = new ArrayList<>();

    /** Blocks after the calls that were followed: where a return may lead. */
    final List<Block> returnSites = new ArrayList<>();

    /** Successors of each block as tier one has linked them. */
    private final Map<Block, List<Block>> links = new IdentityHashMap<>();

    private int codes;
    private int rootCodes;
    private boolean cut;

    RegionShape(Block root, Translator.BlockFinder finder, int heatLimit, Limits limits) {
        this.heatLimit = heatLimit;
        this.finder = finder;
        this.limits = limits;
        grow(root);
    }

    private void grow(Block root) {
        PriorityQueue<Block> candidates =
                new PriorityQueue<>(Comparator.comparingInt((Block b) -> -heat(b)));
        Block next = root;
        while (next != null) {
            if (admit(next)) {
                Block follow = null;
                for (Block successor : successors(next)) {
                    if (indexByIp.containsKey(successor.ip)) {
                        continue;
                    }
                    if (follow == null || heat(successor) > heat(follow)) {
                        if (follow != null) {
                            candidates.add(follow);
                        }
                        follow = successor;
                    } else {
                        candidates.add(successor);
                    }
                }
                next = follow != null ? follow : candidates.poll();
            } else {
                next = candidates.poll();
            }
        }
    }

    /** Of a block whose translation was asked for: what it had at least. */
    int heat(Block b) {
        return b.heat < 0 ? heatLimit : b.heat;
    }

    private boolean admit(Block b) {
        Block root = blocks.isEmpty() ? b : blocks.getFirst();
        if (indexByIp.containsKey(b.ip)
                || b.page < 0
                || b.page2 >= 0
                || b.key != root.key
                || heat(b) < heat(root) / COLD) {
            return false;
        }
        if (blocks.isEmpty()) {
            rootCodes = firstCodes(b);
        } else if (codes + b.code.length > limits.codes || rootCodes < root.code.length) {
            cut = true;
            return false;
        }
        long linearPage = b.linear & ~0xFFFL;
        Block known = pageBlocks.get(linearPage);
        if (known == null) {
            if (pageBlocks.size() == MAX_PAGES) {
                return false;
            }
            pageBlocks.put(linearPage, b);
        } else if (known.page != b.page || known.version != b.version) {
            return false;
        }
        codes += blocks.isEmpty() ? rootCodes : b.code.length;
        indexByIp.put(b.ip, blocks.size());
        blocks.add(b);
        return true;
    }

    /**
     * How much of the root is in the region: less than all if it is longer than a region may be, as
     * the straight code of cryptography is. What follows is a block of its own then, with its own
     * region. The cut is before an instruction that may leave, where all flags are exact.
     */
    private int firstCodes(Block b) {
        if (b.code.length <= limits.rootCodes) {
            return b.code.length;
        }
        for (int n = limits.rootCodes; n > 0; n--) {
            if (CodeWriter.canLeave(b.code[n]) && b.code[n].ip != b.code[n - 1].ip) {
                return n;
            }
        }
        return b.code.length;
    }

    /** Dispatch codes of a block that are in the region, from its first on. */
    int codesOf(Block b) {
        return b == blocks.getFirst() ? rootCodes : b.code.length;
    }

    /** Marks the blocks but the root as being in a region. */
    void cover() {
        for (Block b : blocks.subList(1, blocks.size())) {
            if (b.region == null) {
                b.covered = true;
            }
        }
    }

    private List<Block> successors(Block b) {
        List<Block> list = new ArrayList<>(3);
        if (codesOf(b) < b.code.length) {
            return list;
        }
        Insn last = b.code[b.code.length - 1];
        if (last.uop == Uop.GENERIC_END || last.uop == Uop.GENERIC_JUMP) {
            // Tier one executes it, and goes on from there.
            return list;
        }
        if (last.uop == Uop.RET || last.uop == Uop.JMP_R || last.uop == Uop.CALL_R) {
            list.addAll(b.targets());
        } else {
            Block taken = b.taken;
            Block fallThrough = b.fallThrough;
            if (taken != null) {
                list.add(taken);
            }
            if (fallThrough != null) {
                list.add(fallThrough);
            }
        }
        links.put(b, List.copyOf(list));
        if (last.uop == Uop.CALL_REL && returnSites.size() < MAX_RETURN_SITES) {
            Block site = finder.find(last.nextIp, b.key);
            if (site != null && !returnSites.contains(site)) {
                returnSites.add(site);
                list.add(site);
            }
        }
        return list;
    }

    /**
     * Where an indirect branch was last seen to lead: the links may change meanwhile, so they are
     * read once.
     */
    List<Block> indirectTargets(Block b) {
        return links.getOrDefault(b, List.of());
    }

    /** Number of the block at {@code ip}, or -1. */
    int indexOf(long ip) {
        return indexByIp.getOrDefault(ip, -1);
    }

    RegionPages pages() {
        int n = pageBlocks.size();
        long[] linear = new long[n];
        int[] backing = new int[n];
        int[] versions = new int[n];
        int i = 0;
        for (Map.Entry<Long, Block> entry : pageBlocks.entrySet()) {
            linear[i] = entry.getKey();
            backing[i] = entry.getValue().page;
            versions[i++] = entry.getValue().version;
        }
        return new RegionPages(linear, backing, versions);
    }

    /** Dispatch codes of all blocks. */
    int codes() {
        return codes;
    }

    /** Whether blocks were left out for their number. */
    boolean isCut() {
        return cut;
    }
}
