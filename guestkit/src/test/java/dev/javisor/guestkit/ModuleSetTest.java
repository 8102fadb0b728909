package dev.javisor.guestkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class ModuleSetTest {
    private final ModuleSet modules = new ModuleSet(Set.of("ext4"));

    private void module(String name, String... dependencies) {
        modules.add(new KernelModule(name, List.of(dependencies)), "kernel/" + name + ".ko");
    }

    private List<String> order(String... wanted) {
        return modules.inLoadOrder(List.of(wanted)).stream().map(e -> e.module().name()).toList();
    }

    @Test
    void inLoadOrder_sharedDependencies_comeFirstAndOnce() {
        module("virtio_pci", "virtio", "virtio_ring");
        module("virtio_blk", "virtio_ring", "virtio");
        module("virtio", "virtio_ring");
        module("virtio_ring");
        assertThat(order("virtio-pci", "virtio_blk"))
                .containsExactly("virtio_ring", "virtio", "virtio_pci", "virtio_blk");
    }

    @Test
    void inLoadOrder_builtIn_isLeftOut() {
        module("a", "ext4");
        assertThat(order("a", "ext4")).containsExactly("a");
    }

    @Test
    void inLoadOrder_missing_isNamed() {
        module("a", "b");
        assertThatThrownBy(() -> order("a"))
                .isInstanceOf(GuestKitException.class)
                .hasMessageContaining("no module b");
    }

    @Test
    void inLoadOrder_ring_isRefused() {
        module("a", "b");
        module("b", "a");
        assertThatThrownBy(() -> order("a"))
                .isInstanceOf(GuestKitException.class)
                .hasMessageContaining("ring");
    }

    @Test
    void modulesDep_indirectDependencies_firstToLoadComesLast() {
        module("pci", "virtio");
        module("virtio", "ring");
        module("ring");
        assertThat(modules.modulesDep(modules.inLoadOrder(List.of("pci"))))
                .isEqualTo(
                        """
                        kernel/ring.ko:
                        kernel/virtio.ko: kernel/ring.ko
                        kernel/pci.ko: kernel/virtio.ko kernel/ring.ko
                        """);
    }
}
