package dev.javisor.guestkit;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** The modules of one kernel, as far as they were seen, and the order in which to load them. */
final class ModuleSet {
    /** A module and its path below {@code /lib/modules/RELEASE}, without a compression suffix. */
    record Entry(KernelModule module, String path) {}

    private final Map<String, Entry> byName = new LinkedHashMap<>();
    private final Set<String> builtIn;

    /**
     * @param builtIn names of what {@code modules.builtin} lists
     */
    ModuleSet(Set<String> builtIn) {
        this.builtIn = builtIn;
    }

    void add(KernelModule module, String path) {
        byName.put(module.name(), new Entry(module, path));
    }

    /**
     * The wanted modules and all they depend on, each after its dependencies. What is built into
     * the kernel needs no module and is left out.
     *
     * @throws GuestKitException where a module is neither there nor built in
     */
    List<Entry> inLoadOrder(List<String> wanted) {
        Map<String, Entry> ordered = new LinkedHashMap<>();
        for (String name : wanted) {
            visit(KernelModule.canonical(name), ordered, new ArrayList<>());
        }
        return List.copyOf(ordered.values());
    }

    /** Lines of a {@code modules.dep} file (modules.dep(5)) for these modules. */
    String modulesDep(List<Entry> entries) {
        StringBuilder text = new StringBuilder();
        for (Entry entry : entries) {
            text.append(entry.path()).append(':');
            // modules.dep names indirect dependencies too, the one to load first at the end.
            List<Entry> all = inLoadOrder(entry.module().dependencies());
            for (Entry dependency : all.reversed()) {
                text.append(' ').append(dependency.path());
            }
            text.append('\n');
        }
        return text.toString();
    }

    private void visit(String name, Map<String, Entry> ordered, List<String> chain) {
        if (ordered.containsKey(name) || builtIn.contains(name)) {
            return;
        }
        Entry entry = byName.get(name);
        if (entry == null) {
            throw new GuestKitException("the kernel package has no module " + name);
        }
        if (chain.contains(name)) {
            throw new GuestKitException("kernel modules depend on each other in a ring: " + chain);
        }
        chain.add(name);
        for (String dependency : entry.module().dependencies()) {
            visit(dependency, ordered, chain);
        }
        chain.removeLast();
        ordered.put(name, entry);
    }
}
