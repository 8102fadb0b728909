package dev.javisor.cli;

import dev.javisor.base.Sizes;
import dev.javisor.cli.Finding.Level;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** What can be read from the host's files, without using KVM. */
final class HostChecks {
    static final String KVM = "/dev/kvm";

    private static final long KIB = 1024;

    private final HostRoot host;

    HostChecks(HostRoot host) {
        this.host = host;
    }

    List<Finding> all() {
        return List.of(
                java(),
                processor(),
                device(),
                module(),
                nested(),
                memory(),
                hugePages(),
                controlGroups(),
                tun(),
                seccomp());
    }

    private static Finding java() {
        return Finding.of(
                        "java",
                        Level.OK,
                        "Java %s, %s"
                                .formatted(
                                        Runtime.version(), System.getProperty("java.vendor", "")))
                .with("version", Runtime.version().toString());
    }

    private Set<String> cpuFlags() {
        return new HashSet<>(
                Arrays.asList(host.value("/proc/cpuinfo", "flags").orElse("").split("\\s+")));
    }

    Finding processor() {
        Set<String> flags = cpuFlags();
        String model = host.value("/proc/cpuinfo", "model name").orElse("unknown");
        boolean vmx = flags.contains("vmx");
        boolean svm = flags.contains("svm");
        boolean guest = flags.contains("hypervisor");
        boolean nestedPaging = vmx ? flags.contains("ept") : flags.contains("npt");
        String extension = vmx ? "VT-x" : svm ? "AMD-V" : "none";
        String what =
                vmx || svm
                        ? extension + (nestedPaging ? (vmx ? " with EPT" : " with NPT") : "")
                        : "no VT-x or AMD-V";
        Finding finding =
                Finding.of(
                                "processor",
                                vmx || svm ? Level.OK : Level.NOTE,
                                "%s, %s%s"
                                        .formatted(
                                                model,
                                                what,
                                                guest ? ", itself in a virtual machine" : ""))
                        .with("model", model)
                        .with("extension", extension)
                        .with("nestedPaging", nestedPaging)
                        .with("interruptVirtualization", interruptVirtualization())
                        .with("inVirtualMachine", guest);
        if (vmx || svm) {
            return finding;
        }
        return finding.remedy(
                guest
                        ? "for hardware virtualization, enable nested virtualization where this"
                                + " virtual machine runs"
                        : "switch on VT-x or AMD-V in the firmware");
    }

    /** APICv or AVIC, as the module says that it uses it. */
    private boolean interruptVirtualization() {
        return isOn("/sys/module/kvm_intel/parameters/enable_apicv")
                || isOn("/sys/module/kvm_amd/parameters/avic");
    }

    private boolean isOn(String parameter) {
        return host.text(parameter).filter(v -> v.equals("Y") || v.equals("1")).isPresent();
    }

    Finding device() {
        if (!host.exists(KVM)) {
            return Finding.of("device", Level.WARN, KVM + " is not there")
                    .remedy(noDeviceRemedy())
                    .with("exists", false)
                    .with("usable", false);
        }
        Optional<HostRoot.Owner> owner = host.owner(KVM);
        String who =
                owner.map(o -> ", %s:%s %s".formatted(o.user(), o.group(), o.permissions()))
                        .orElse("");
        boolean usable = host.isUsable(KVM);
        Finding finding =
                Finding.of(
                                "device",
                                usable ? Level.OK : Level.WARN,
                                KVM + (usable ? " may be used" : " may not be used by you") + who)
                        .with("exists", true)
                        .with("usable", usable)
                        .with("group", owner.map(HostRoot.Owner::group).orElse(""));
        if (usable) {
            return finding;
        }
        return finding.remedy(
                owner.filter(HostRoot.Owner::groupMayUse)
                        .map(o ->
                                "sudo usermod -aG %s $USER, then log in again".formatted(o.group()))
                        .orElse(
                                "its group may not use it either: sudo chgrp kvm /dev/kvm &&"
                                        + " sudo chmod 660 /dev/kvm"));
    }

    private String noDeviceRemedy() {
        Set<String> flags = cpuFlags();
        if (flags.contains("vmx")) {
            return "sudo modprobe kvm_intel; in a container, pass the device in (--device"
                    + " /dev/kvm)";
        }
        if (flags.contains("svm")) {
            return "sudo modprobe kvm_amd; in a container, pass the device in (--device /dev/kvm)";
        }
        return "needs hardware virtualization, see above";
    }

    Finding module() {
        List<String> loaded = new ArrayList<>();
        for (String name : List.of("kvm_intel", "kvm_amd", "kvm_pvm")) {
            if (host.exists("/sys/module/" + name)) {
                loaded.add(name);
            }
        }
        Map<String, String> meaning = new LinkedHashMap<>();
        meaning.put("kvm_intel", "Intel VT-x");
        meaning.put("kvm_amd", "AMD-V");
        meaning.put("kvm_pvm", "PVM: no hardware virtualization, guest kernels are emulated");
        if (loaded.isEmpty()) {
            return Finding.of("module", Level.NOTE, "no KVM module is loaded or built in")
                    .with("modules", String.join(",", loaded));
        }
        String text =
                String.join(
                        "; ",
                        loaded.stream().map(m -> "%s (%s)".formatted(m, meaning.get(m))).toList());
        boolean hardware = loaded.contains("kvm_intel") || loaded.contains("kvm_amd");
        return Finding.of("module", hardware ? Level.OK : Level.WARN, "KVM module " + text)
                .with("modules", String.join(",", loaded));
    }

    Finding nested() {
        boolean on =
                isOn("/sys/module/kvm_intel/parameters/nested")
                        || isOn("/sys/module/kvm_amd/parameters/nested");
        return Finding.of(
                        "nested",
                        Level.NOTE,
                        on
                                ? "guests could run guests of their own"
                                : "guests cannot run guests of their own with KVM")
                .with("nested", on);
    }

    private long kib(String key) {
        return host.value("/proc/meminfo", key)
                .map(v -> v.replaceAll("[^0-9].*", ""))
                .filter(v -> !v.isEmpty() && v.length() < 16)
                .map(Long::parseLong)
                .orElse(0L);
    }

    Finding memory() {
        long total = kib("MemTotal") * KIB;
        long available = kib("MemAvailable") * KIB;
        boolean little = available < (768L << 20);
        Finding finding =
                Finding.of(
                                "memory",
                                little ? Level.WARN : Level.OK,
                                "%s of memory, %s available"
                                        .formatted(
                                                Sizes.approximate(total),
                                                Sizes.approximate(available)))
                        .with("totalBytes", total)
                        .with("availableBytes", available);
        return little
                ? finding.remedy("give guests less than the default: --memory 256M")
                : finding;
    }

    Finding hugePages() {
        String mode =
                host.text("/sys/kernel/mm/transparent_hugepage/enabled")
                        .map(v -> v.replaceAll("(?s).*\\[(.*)\\].*", "$1"))
                        .orElse("never");
        long reserved = kib("HugePages_Total");
        boolean used = mode.equals("always") || mode.equals("madvise");
        Finding finding =
                Finding.of(
                                "huge-pages",
                                used ? Level.OK : Level.WARN,
                                "transparent huge pages: %s; %d reserved".formatted(mode, reserved))
                        .with("transparent", mode)
                        .with("reserved", reserved);
        return used
                ? finding
                : finding.remedy(
                        "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled");
    }

    Finding controlGroups() {
        boolean v2 = host.exists("/sys/fs/cgroup/cgroup.controllers");
        boolean v1 = !v2 && host.exists("/sys/fs/cgroup/memory");
        int version = v2 ? 2 : v1 ? 1 : 0;
        return Finding.of(
                        "cgroup",
                        v2 ? Level.OK : Level.NOTE,
                        version == 0 ? "no control groups" : "control groups version " + version)
                .with("version", version);
    }

    Finding tun() {
        boolean exists = host.exists("/dev/net/tun");
        boolean usable = exists && host.isUsable("/dev/net/tun");
        return Finding.of(
                        "tun",
                        usable ? Level.OK : Level.NOTE,
                        usable
                                ? "/dev/net/tun may be used"
                                : "/dev/net/tun "
                                        + (exists ? "may not be used by you" : "is not there")
                                        + ": no bridged networks")
                .with("usable", usable);
    }

    Finding seccomp() {
        boolean supported =
                host.text("/proc/sys/kernel/seccomp/actions_avail").isPresent()
                        || host.value("/proc/self/status", "Seccomp").isPresent();
        String mode =
                switch (host.value("/proc/self/status", "Seccomp").orElse("")) {
                    case "0" -> "off";
                    case "1" -> "strict";
                    case "2" -> "filtered";
                    default -> "unknown";
                };
        return Finding.of(
                        "seccomp",
                        supported ? Level.OK : Level.NOTE,
                        supported
                                ? "seccomp is there; for this process: " + mode
                                : "this kernel has no seccomp")
                .with("supported", supported)
                .with("mode", mode.toLowerCase(Locale.ROOT));
    }
}
