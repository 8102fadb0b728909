package dev.javisor.arch;

import static com.tngtech.archunit.base.DescribedPredicate.describe;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.Dependency;
import com.tngtech.archunit.core.domain.JavaAccess;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import dev.javisor.machine.MmioDevice;
import dev.javisor.machine.PortDevice;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** The rules of docs/architecture.md that the module system alone does not keep. */
class FloorsTest {
    private static final JavaClasses PRODUCT =
            new ClassFileImporter()
                    .importPackages(
                            "dev.javisor.base",
                            "dev.javisor.linux",
                            "dev.javisor.hypervisor",
                            "dev.javisor.kvm",
                            "dev.javisor.softcpu",
                            "dev.javisor.machine",
                            "dev.javisor.devices",
                            "dev.javisor.block",
                            "dev.javisor.net",
                            "dev.javisor.virtio",
                            "dev.javisor.boot",
                            "dev.javisor.vmm",
                            "dev.javisor.guestkit",
                            "dev.javisor.cli");

    /** The modules with native access, as the launcher must name them. */
    private static final Set<String> FENCED = Set.of("dev.javisor.linux", "dev.javisor.kvm");

    /** Of the machine floor, but of use by itself: the command line works on images with it. */
    private static final String BLOCK = "dev.javisor.block..";

    private static final String[] MACHINE_FLOOR = {
        "dev.javisor.machine..",
        "dev.javisor.devices..",
        "dev.javisor.block..",
        "dev.javisor.net..",
        "dev.javisor.virtio..",
        "dev.javisor.boot.."
    };

    @Test
    void everyModule_wasFound() {
        for (String name :
                List.of(
                        "base",
                        "linux",
                        "hypervisor",
                        "kvm",
                        "softcpu",
                        "machine",
                        "devices",
                        "block")) {
            assertThat(PRODUCT.that(resideInAPackage("dev.javisor." + name + "..")))
                    .as(name)
                    .isNotEmpty();
        }
        for (String name : List.of("net", "virtio", "boot", "vmm", "guestkit", "cli")) {
            assertThat(PRODUCT.that(resideInAPackage("dev.javisor." + name + "..")))
                    .as(name)
                    .isNotEmpty();
        }
    }

    @Test
    void floors_useOnlyWhatIsBelow() {
        layeredArchitecture()
                .consideringOnlyDependenciesInLayers()
                .layer("base")
                .definedBy("dev.javisor.base..", "dev.javisor.linux..")
                .layer("contract")
                .definedBy("dev.javisor.hypervisor..")
                .layer("cpu")
                .definedBy("dev.javisor.softcpu..", "dev.javisor.kvm..")
                .layer("block")
                .definedBy(BLOCK)
                .layer("machine")
                .definedBy(
                        "dev.javisor.machine..",
                        "dev.javisor.devices..",
                        "dev.javisor.net..",
                        "dev.javisor.virtio..",
                        "dev.javisor.boot..")
                .layer("vmm")
                .definedBy("dev.javisor.vmm..")
                .layer("app")
                .definedBy("dev.javisor.cli..", "dev.javisor.guestkit..")
                .whereLayer("app")
                .mayNotBeAccessedByAnyLayer()
                .whereLayer("vmm")
                .mayOnlyBeAccessedByLayers("app")
                .whereLayer("machine")
                .mayOnlyBeAccessedByLayers("vmm")
                .whereLayer("block")
                .mayOnlyBeAccessedByLayers("machine", "vmm", "app")
                .whereLayer("cpu")
                .mayOnlyBeAccessedByLayers("vmm")
                .whereLayer("contract")
                .mayOnlyBeAccessedByLayers("cpu", "machine", "vmm", "app")
                .check(PRODUCT);
    }

    @Test
    void nativeAccess_staysBehindTheFence() {
        noClasses()
                .that()
                .resideOutsideOfPackages("dev.javisor.linux..", "dev.javisor.kvm..")
                .should()
                .dependOnClassesThat()
                .haveFullyQualifiedName("java.lang.foreign.Linker")
                .orShould()
                .dependOnClassesThat()
                .haveFullyQualifiedName("java.lang.foreign.SymbolLookup")
                .orShould()
                .dependOnClassesThat()
                .haveNameMatching(".*\\.Unsafe")
                .orShould()
                .accessTargetWhere(isCallOf("java.lang.foreign.MemorySegment", "reinterpret"))
                .orShould()
                .accessTargetWhere(isCallOf("java.lang.System", "load"))
                .orShould()
                .accessTargetWhere(isCallOf("java.lang.System", "loadLibrary"))
                .check(PRODUCT);
    }

    @Test
    void launcher_namesExactlyTheFencedModules() throws IOException {
        Path root = Path.of("").toAbsolutePath();
        while (!Files.exists(root.resolve("javisor"))) {
            root = root.getParent();
            assertThat(root).as("the directory of the launcher").isNotNull();
        }
        String script = Files.readString(root.resolve("javisor"));
        Matcher line = Pattern.compile("(?m)^readonly native_modules=(\\S+)$").matcher(script);
        assertThat(line.find()).isTrue();
        assertThat(new TreeSet<>(List.of(line.group(1).split(","))))
                .isEqualTo(new TreeSet<>(FENCED));
        assertThat(script)
                .contains("--enable-native-access=\"$native_modules\"")
                .contains("--illegal-native-access=deny");
    }

    @Test
    void softwareCpu_usesNoFileSocketOrWallClock() {
        noClasses()
                .that()
                .resideInAPackage("dev.javisor.softcpu..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("java.nio.file..", "java.nio.channels..", "java.net..")
                .orShould()
                .dependOnClassesThat()
                .haveNameMatching("java\\.io\\.(File|RandomAccess).*")
                .orShould()
                .dependOnClassesThat()
                .haveNameMatching("java\\.time\\.(Clock|Instant|LocalDateTime|ZonedDateTime)")
                .orShould()
                .accessTargetWhere(isCallOf("java.lang.System", "currentTimeMillis"))
                .check(PRODUCT);
    }

    @Test
    void accelerators_doNotKnowEachOther() {
        noClasses()
                .that()
                .resideInAPackage("dev.javisor.kvm..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("dev.javisor.softcpu..")
                .check(PRODUCT);
        noClasses()
                .that()
                .resideInAPackage("dev.javisor.softcpu..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("dev.javisor.kvm..", "dev.javisor.linux..")
                .check(PRODUCT);
    }

    /** Downcalls are the system-call module's; this one only looks at memory that KVM shares. */
    @Test
    void kvm_makesItsSystemCallsThroughTheWrapper() {
        noClasses()
                .that()
                .resideInAPackage("dev.javisor.kvm..")
                .should()
                .dependOnClassesThat()
                .haveFullyQualifiedName("java.lang.foreign.Linker")
                .orShould()
                .dependOnClassesThat()
                .haveFullyQualifiedName("java.lang.foreign.SymbolLookup")
                .check(PRODUCT);
    }

    @Test
    void block_doesNotKnowVirtio() {
        noClasses()
                .that()
                .resideInAPackage("dev.javisor.block..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("dev.javisor.virtio..")
                .check(PRODUCT);
    }

    @Test
    void net_doesNotKnowVirtio() {
        noClasses()
                .that()
                .resideInAPackage("dev.javisor.net..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("dev.javisor.virtio..")
                .check(PRODUCT);
    }

    @Test
    void device_knowsNoOtherDevice() {
        DescribedPredicate<JavaClass> device =
                describe(
                        "a device",
                        c ->
                                !c.isInterface()
                                        && (c.isAssignableTo(PortDevice.class)
                                                || c.isAssignableTo(MmioDevice.class)));
        DescribedPredicate<Dependency> onAnother =
                describe(
                        "on another device",
                        d ->
                                device.test(d.getTargetClass())
                                        && !outermost(d.getTargetClass())
                                                .equals(outermost(d.getOriginClass())));
        for (JavaClass each : PRODUCT.that(resideInAPackage("dev.javisor.devices.."))) {
            if (device.test(each)) {
                assertThat(each.getDirectDependenciesFromSelf().stream().filter(onAnother))
                        .as(each.getName())
                        .isEmpty();
            }
        }
    }

    @Test
    void virtioDevices_knowNeitherTransportNorEachOther() {
        for (String one : List.of("block", "console", "net", "rng")) {
            for (String other : List.of("block", "console", "net", "rng")) {
                if (!one.equals(other)) {
                    noClasses()
                            .that()
                            .resideInAPackage("dev.javisor.virtio." + one + "..")
                            .should()
                            .dependOnClassesThat()
                            .resideInAPackage("dev.javisor.virtio." + other + "..")
                            .check(PRODUCT);
                }
            }
            noClasses()
                    .that()
                    .resideInAPackage("dev.javisor.virtio." + one + "..")
                    .should()
                    .dependOnClassesThat()
                    .haveSimpleNameStartingWith("VirtioPci")
                    .check(PRODUCT);
        }
    }

    @Test
    void machineFloor_hasNoProtocolsAndNoCommandLine() {
        noClasses()
                .that(resideInAnyPackage(MACHINE_FLOOR))
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(
                        "java.net.http..",
                        "javax.xml..",
                        "org.w3c.dom..",
                        "java.sql..",
                        "tools.jackson..",
                        "picocli..")
                .check(PRODUCT);
    }

    @Test
    void names_sayWhatAClassIs() {
        noClasses()
                .should()
                .haveSimpleNameEndingWith("Manager")
                .orShould()
                .haveSimpleNameEndingWith("Util")
                .orShould()
                .haveSimpleNameEndingWith("Utils")
                .orShould()
                .haveSimpleNameEndingWith("Helper")
                .orShould()
                .haveSimpleNameEndingWith("Impl")
                .check(PRODUCT);
    }

    private static DescribedPredicate<JavaAccess<?>> isCallOf(String owner, String method) {
        return describe(
                owner + "." + method,
                access ->
                        access.getTargetOwner().getName().equals(owner)
                                && access.getTarget().getName().equals(method));
    }

    private static JavaClass outermost(JavaClass inner) {
        JavaClass outer = inner;
        while (outer.getEnclosingClass().isPresent()) {
            outer = outer.getEnclosingClass().get();
        }
        return outer;
    }
}
