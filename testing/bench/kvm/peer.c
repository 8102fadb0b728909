/*
 * The peer of "./bench kvm": what KvmSide.java does through our accelerator, straight on KVM in C.
 * Reads lines "SCENARIO IMAGE ROUNDS" and answers each with nanoseconds per round. An image is guest
 * memory from address 0; it begins with the 64-bit values RIP and RSP.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SMALL_BYTES (8ull << 20)
#define LARGE_BYTES (1ull << 30)
#define KICK_SIGNAL (SIGRTMIN + 6)

/* As in BenchGuests.java. */
enum { PORT = 0x300, DOORBELL = 0x310, EXIT = 0xF4, VECTOR = 0x40, ANSWER = 0x40000 };

/* As dev.javisor.guests.LongMode lays a 64-bit guest out. */
enum { GDT = 0x1000, IDT = 0x2000, TSS = 0x3000, PML4 = 0x4000 };

struct machine {
    int kvm, vm, vcpu;
    uint8_t *memory;
    size_t bytes;
    struct kvm_run *run;
    size_t run_bytes;
    int manual;
};

/* One vCPU thread's work; the device model of a switch is a call through a pointer. */
struct device {
    void (*write)(struct device *device, uint64_t address, int size, uint64_t value);
    uint64_t writes, limit;
    int done;
};

static void die(const char *what) {
    perror(what);
    exit(1);
}

static int call(int fd, unsigned long request, void *argument, const char *what) {
    int result = ioctl(fd, request, argument);
    if (result < 0) die(what);
    return result;
}

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static struct kvm_segment segment(int selector, uint64_t base, uint32_t limit, int type, int s, int l,
                                  int db, int g) {
    struct kvm_segment x = {.base = base, .limit = limit, .selector = (uint16_t)selector,
                            .type = (uint8_t)type, .present = 1, .s = (uint8_t)s, .l = (uint8_t)l,
                            .db = (uint8_t)db, .g = (uint8_t)g};
    return x;
}

static void enter_long_mode(struct machine *m) {
    struct kvm_sregs s;
    struct kvm_regs r = {.rflags = 2};
    call(m->vcpu, KVM_GET_SREGS, &s, "KVM_GET_SREGS");
    s.cs = segment(0x08, 0, ~0u, 11, 1, 1, 0, 1);
    s.ds = s.es = s.fs = s.gs = s.ss = segment(0x10, 0, ~0u, 3, 1, 0, 1, 1);
    s.tr = segment(0x40, TSS, 0x67, 11, 0, 0, 0, 0);
    s.gdt.base = GDT;
    s.gdt.limit = 0x4F;
    s.idt.base = IDT;
    s.idt.limit = 0xFFF;
    s.cr0 = 0x80010033;
    s.cr3 = PML4;
    s.cr4 = 0x6A0;
    s.efer = 0xD01;
    call(m->vcpu, KVM_SET_SREGS, &s, "KVM_SET_SREGS");
    memcpy(&r.rip, m->memory, 8);
    memcpy(&r.rsp, m->memory + 8, 8);
    call(m->vcpu, KVM_SET_REGS, &r, "KVM_SET_REGS");
}

static void set_cpuid(struct machine *m) {
    struct kvm_cpuid2 *table = calloc(1, sizeof *table + 256 * sizeof table->entries[0]);
    table->nent = 256;
    call(m->kvm, KVM_GET_SUPPORTED_CPUID, table, "KVM_GET_SUPPORTED_CPUID");
    call(m->vcpu, KVM_SET_CPUID2, table, "KVM_SET_CPUID2");
    free(table);
}

static void map_memory(struct machine *m, int flags) {
    struct kvm_userspace_memory_region region = {.slot = 0, .flags = (uint32_t)flags,
                                                 .memory_size = m->bytes,
                                                 .userspace_addr = (uintptr_t)m->memory};
    call(m->vm, KVM_SET_USER_MEMORY_REGION, &region, "KVM_SET_USER_MEMORY_REGION");
}

static void create(struct machine *m, const char *image, size_t bytes) {
    struct kvm_enable_cap split = {.cap = KVM_CAP_SPLIT_IRQCHIP, .args = {24}};
    struct kvm_enable_cap manual = {.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, .args = {1}};
    m->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (m->kvm < 0) die("/dev/kvm");
    m->vm = call(m->kvm, KVM_CREATE_VM, 0, "KVM_CREATE_VM");
    call(m->vm, KVM_ENABLE_CAP, &split, "KVM_CAP_SPLIT_IRQCHIP");
    m->manual = ioctl(m->kvm, KVM_CHECK_EXTENSION, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2) > 0 &&
                ioctl(m->vm, KVM_ENABLE_CAP, &manual) == 0;
    m->bytes = bytes;
    m->memory = mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                     -1, 0);
    if (m->memory == MAP_FAILED) die("guest memory");
    int file = open(image, O_RDONLY);
    if (file < 0 || read(file, m->memory, SMALL_BYTES) <= 0) die(image);
    close(file);
    map_memory(m, 0);
    m->vcpu = call(m->vm, KVM_CREATE_VCPU, 0, "KVM_CREATE_VCPU");
    m->run_bytes = (size_t)call(m->kvm, KVM_GET_VCPU_MMAP_SIZE, 0, "KVM_GET_VCPU_MMAP_SIZE");
    m->run = mmap(0, m->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, m->vcpu, 0);
    if (m->run == MAP_FAILED) die("kvm_run");
    set_cpuid(m);
    enter_long_mode(m);
}

static void destroy(struct machine *m) {
    munmap(m->run, m->run_bytes);
    close(m->vcpu);
    close(m->vm);
    close(m->kvm);
    munmap(m->memory, m->bytes);
}

/* Runs until the device is done, or a kick: 0, or 1. */
static int run(struct machine *m, struct device *device) {
    struct kvm_run *r = m->run;
    while (!device->done) {
        if (ioctl(m->vcpu, KVM_RUN, 0) < 0) {
            r->immediate_exit = 0;
            return 1;
        }
        switch (r->exit_reason) {
        case KVM_EXIT_IO: {
            uint8_t *data = (uint8_t *)r + r->io.data_offset;
            for (uint32_t i = 0; i < r->io.count; i++, data += r->io.size) {
                uint32_t value = 0;
                memcpy(&value, data, r->io.size);
                if (r->io.direction == KVM_EXIT_IO_OUT)
                    device->write(device, r->io.port, r->io.size, value);
                else
                    memset(data, 0xFF, r->io.size);
            }
            break;
        }
        case KVM_EXIT_MMIO: {
            uint64_t value = 0;
            memcpy(&value, r->mmio.data, r->mmio.len);
            if (r->mmio.is_write)
                device->write(device, r->mmio.phys_addr, (int)r->mmio.len, value);
            else
                memset(r->mmio.data, 0xFF, sizeof r->mmio.data);
            break;
        }
        default:
            fprintf(stderr, "exit reason %u\n", r->exit_reason);
            exit(1);
        }
    }
    return 0;
}

static void count(struct device *device, uint64_t address, int size, uint64_t value) {
    (void)address, (void)size, (void)value;
    device->done = ++device->writes == device->limit;
}

static int compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static double median(uint64_t *values, int n) {
    qsort(values, (size_t)n, sizeof *values, compare);
    return (double)values[n / 2];
}

static double exits(const char *image, int rounds) {
    struct machine m;
    struct device device = {.write = count, .limit = (uint64_t)rounds};
    create(&m, image, SMALL_BYTES);
    uint64_t start = now();
    run(&m, &device);
    double each = (double)(now() - start) / rounds;
    destroy(&m);
    return each;
}

struct runner {
    struct machine *machine;
    struct device device;
    pid_t id;
    atomic_int ready, stop, generation;
    _Atomic uint64_t returned;
};

static void *vcpu_thread(void *argument) {
    struct runner *r = argument;
    r->id = (pid_t)syscall(SYS_gettid);
    r->ready = 1;
    while (!r->stop) {
        run(r->machine, &r->device);
        r->returned = now();
        r->generation++;
    }
    return 0;
}

static void kick(struct runner *r) {
    *(volatile uint8_t *)&r->machine->run->immediate_exit = 1;
    syscall(SYS_tgkill, getpid(), r->id, KICK_SIGNAL);
}

static pthread_t start(struct runner *r, struct machine *m) {
    pthread_t thread;
    memset(r, 0, sizeof *r);
    r->machine = m;
    r->device.write = count;
    r->device.limit = ~0ull;
    if (pthread_create(&thread, 0, vcpu_thread, r)) die("thread");
    while (!r->ready) usleep(100);
    return thread;
}

static void stop(struct runner *r, pthread_t thread) {
    r->stop = 1;
    kick(r);
    pthread_join(thread, 0);
}

static int bind_doorbell(struct machine *m) {
    int fd = eventfd(0, EFD_CLOEXEC);
    struct kvm_ioeventfd e = {.addr = DOORBELL, .len = 4, .fd = fd, .flags = KVM_IOEVENTFD_FLAG_PIO};
    call(m->vm, KVM_IOEVENTFD, &e, "KVM_IOEVENTFD");
    return fd;
}

static int bind_interrupt(struct machine *m) {
    int fd = eventfd(0, EFD_CLOEXEC);
    struct kvm_irq_routing *routes = calloc(1, sizeof *routes + sizeof routes->entries[0]);
    routes->nr = 1;
    routes->entries[0].type = KVM_IRQ_ROUTING_MSI;
    routes->entries[0].u.msi.address_lo = 0xFEE00000;
    routes->entries[0].u.msi.data = VECTOR;
    call(m->vm, KVM_SET_GSI_ROUTING, routes, "KVM_SET_GSI_ROUTING");
    free(routes);
    struct kvm_irqfd irq = {.fd = (uint32_t)fd, .gsi = 0};
    call(m->vm, KVM_IRQFD, &irq, "KVM_IRQFD");
    return fd;
}

/* Interrupt (where there is one) or answer, guest, doorbell, this thread: one round. */
static double doorbell(const char *image, int rounds, int interrupt) {
    struct machine m;
    struct runner r;
    uint64_t value, *times = calloc((size_t)rounds, sizeof *times);
    create(&m, image, SMALL_BYTES);
    int bell = bind_doorbell(&m), irq = interrupt ? bind_interrupt(&m) : -1;
    pthread_t thread = start(&r, &m);
    if (read(bell, &value, 8) != 8) die("doorbell"); /* The guest is ready. */
    uint64_t last = now(), one = 1;
    for (int i = 0; i < rounds; i++) {
        if (interrupt) {
            if (write(irq, &one, 8) != 8) die("irqfd");
        } else {
            atomic_store((_Atomic uint32_t *)(m.memory + ANSWER), (uint32_t)i + 1);
        }
        if (read(bell, &value, 8) != 8) die("doorbell");
        uint64_t t = now();
        times[i] = t - last;
        last = t;
    }
    stop(&r, thread);
    close(bell);
    if (irq >= 0) close(irq);
    destroy(&m);
    double result = median(times, rounds);
    free(times);
    return result;
}

static double kicks(const char *image, int rounds) {
    struct machine m;
    struct runner r;
    uint64_t *times = calloc((size_t)rounds, sizeof *times);
    create(&m, image, SMALL_BYTES);
    pthread_t thread = start(&r, &m);
    for (int i = 0; i < rounds; i++) {
        uint64_t begin = now();
        while (now() - begin < 50000) { /* Until it is in the guest again. */ }
        int before = r.generation;
        begin = now();
        kick(&r);
        while (r.generation == before) __builtin_ia32_pause();
        times[i] = r.returned - begin;
    }
    stop(&r, thread);
    destroy(&m);
    double result = median(times, rounds);
    free(times);
    return result;
}

static double dirty(const char *image, int rounds) {
    struct machine m;
    uint64_t *times = calloc((size_t)rounds, sizeof *times);
    create(&m, image, LARGE_BYTES);
    map_memory(&m, KVM_MEM_LOG_DIRTY_PAGES);
    uint64_t *bitmap = calloc(LARGE_BYTES / 4096 / 64, 8);
    for (int i = 0; i < rounds; i++) {
        struct device device = {.write = count, .limit = 1};
        run(&m, &device);
        struct kvm_dirty_log get = {.slot = 0, .dirty_bitmap = bitmap};
        struct kvm_clear_dirty_log clear = {.slot = 0, .num_pages = LARGE_BYTES / 4096,
                                            .dirty_bitmap = bitmap};
        uint64_t start = now();
        call(m.vm, KVM_GET_DIRTY_LOG, &get, "KVM_GET_DIRTY_LOG");
        if (m.manual) call(m.vm, KVM_CLEAR_DIRTY_LOG, &clear, "KVM_CLEAR_DIRTY_LOG");
        times[i] = now() - start;
    }
    destroy(&m);
    free(bitmap);
    double result = median(times, rounds);
    free(times);
    return result;
}

static void nothing(int signal) { (void)signal; }

int main(void) {
    struct sigaction action = {.sa_handler = nothing};
    sigaction(KICK_SIGNAL, &action, 0);
    char scenario[32], image[4096];
    int rounds;
    while (scanf("%31s %4095s %d", scenario, image, &rounds) == 3) {
        double each;
        if (!strcmp(scenario, "pio") || !strcmp(scenario, "mmio")) each = exits(image, rounds);
        else if (!strcmp(scenario, "wake")) each = doorbell(image, rounds, 1);
        else if (!strcmp(scenario, "doorbell")) each = doorbell(image, rounds, 0);
        else if (!strcmp(scenario, "kick")) each = kicks(image, rounds);
        else if (!strcmp(scenario, "dirty")) each = dirty(image, rounds);
        else return 64;
        printf("%.1f\n", each);
        fflush(stdout);
    }
    return 0;
}
