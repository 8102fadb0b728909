package dev.javisor.net.tap;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.javisor.linux.Errno;
import dev.javisor.net.ArrayFrame;
import dev.javisor.net.CollectingSink;
import dev.javisor.net.DescriptorLoop;
import dev.javisor.net.FrameOffload;
import dev.javisor.net.FrameOffload.Segmentation;
import dev.javisor.net.MacAddress;
import dev.javisor.net.NetException;
import dev.javisor.net.NetOffloads;
import java.util.HexFormat;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class TapBackendTest {
    private static final HexFormat HEX = HexFormat.of();
    private static final MacAddress MAC = MacAddress.parse("52:54:00:00:00:01");
    private static final String FRAME = "ffffffffffff5254000000010800" + "45".repeat(46);

    /** flags NEEDS_CSUM, gso TCPv4, 54 bytes of headers, MSS 1448, checksum 16 behind byte 34. */
    private static final String TCP4_HEADER = "0101" + "3600" + "a805" + "2200" + "1000";

    private static final FrameOffload TCP4 =
            new FrameOffload(true, false, Segmentation.TCP4, 54, 1448, 34, 16);

    private final FakeTun tun = new FakeTun();
    private final DescriptorLoop loop = new DescriptorLoop("tap test", tun.calls());

    private TapBackend open() {
        return TapBackend.open(loop, tun.calls(), "tap%d", Optional.empty());
    }

    private static byte[] bytes(String hex) {
        return HEX.parseHex(hex);
    }

    @Test
    void opened_interface_isTapWithVirtioHeadersAndUp() {
        try (TapBackend backend = open()) {
            assertThat(backend.interfaceName()).isEqualTo(FakeTun.NAME);
            assertThat(backend.mtuBytes()).isEqualTo(FakeTun.MTU);
            assertThat(tun.requests).containsEntry(TapLayout.TUNSETIFF, 0x5002L);
            assertThat(tun.requests).containsEntry(TapLayout.TUNSETVNETHDRSZ, 10L);
            assertThat(tun.requests).containsEntry(TapLayout.SIOCSIFFLAGS, 1L);
        }
        loop.close();
        assertThat(tun.open).isEmpty();
    }

    @Test
    void open_refusedAtAnyStep_leavesNoDescriptorAndSaysWhatToDo() {
        int before = tun.open.size();
        refused(0, Errno.ENOENT, "modprobe tun");
        refused(0, Errno.EACCES, "as root");
        refused(TapLayout.TUNSETIFF, Errno.EPERM, "ip tuntap add tap0");
        refused(TapLayout.TUNSETIFF, Errno.EBUSY, "in use");
        refused(TapLayout.TUNSETIFF, Errno.EINVAL, "no tap interface");
        refused(TapLayout.TUNSETVNETHDRSZ, Errno.EFAULT, "TUNSETVNETHDRSZ: bad address");
        refused(TapLayout.SIOCGIFFLAGS, Errno.ENODEV, "no such device");
        refused(TapLayout.SIOCSIFFLAGS, Errno.EPERM, "ip link set tap7 up");
        assertThat(tun.open).hasSize(before);
    }

    private void refused(long request, int errno, String message) {
        tun.failing.put(request, errno);
        assertThatThrownBy(this::open)
                .isInstanceOf(NetException.class)
                .hasMessageContaining(message);
        tun.failing.clear();
    }

    @Test
    void frame_withOpenChecksumAndSegments_hasThemInItsHeader() {
        try (TapBackend backend = open()) {
            backend.start(MAC, NetOffloads.ALL);
            assertThat(backend.send(new ArrayFrame(bytes(FRAME), TCP4))).isTrue();
            assertThat(backend.send(ArrayFrame.of(bytes(FRAME)))).isTrue();
            assertThat(tun.sent)
                    .containsExactly(bytes(TCP4_HEADER + FRAME), bytes("00".repeat(10) + FRAME));
        }
    }

    @Test
    void arrivals_areDeliveredWithTheirOffloads() {
        try (TapBackend backend = open()) {
            backend.start(MAC, NetOffloads.ALL);
            CollectingSink sink = new CollectingSink(3);
            tun.arriving.add(bytes(TCP4_HEADER + FRAME));
            // ECN beside TCPv4.
            tun.arriving.add(bytes("0181" + TCP4_HEADER.substring(4) + FRAME));
            tun.arriving.add(bytes("0200" + "00".repeat(8) + FRAME));
            backend.receive(sink);
            assertThat(sink.frames).containsExactly(bytes(FRAME), bytes(FRAME), bytes(FRAME));
            assertThat(sink.offloads).containsExactly(TCP4, TCP4, FrameOffload.VALID);
        }
    }

    @Test
    void arrival_guestHasNoBuffer_waitsAndKeepsItsPlace() {
        try (TapBackend backend = open()) {
            backend.start(MAC, NetOffloads.NONE);
            tun.arriving.add(bytes("00".repeat(10) + FRAME));
            tun.arriving.add(bytes("00".repeat(10) + FRAME + "01"));
            CollectingSink sink = new CollectingSink(0);
            backend.receive(sink);
            assertThat(sink.frames).isEmpty();
            sink.free = 2;
            backend.receive(sink);
            assertThat(sink.frames).containsExactly(bytes(FRAME), bytes(FRAME + "01"));
        }
    }

    @Test
    void arrivals_beforeTheDriver_areForNobody() {
        try (TapBackend backend = open()) {
            tun.arriving.add(bytes("00".repeat(10) + FRAME));
            CollectingSink sink = new CollectingSink(2);
            backend.receive(sink);
            backend.start(MAC, NetOffloads.NONE);
            backend.receive(sink);
            assertThat(sink.frames).isEmpty();
            assertThat(tun.arriving).isEmpty();
        }
    }

    @Test
    void driver_withoutChecksums_getsNoSegmentsEither() {
        try (TapBackend backend = open()) {
            backend.start(MAC, new NetOffloads(false, true, true));
            assertThat(tun.requests).containsEntry(TapLayout.TUNSETOFFLOAD, 0L);
            backend.change(new NetOffloads(true, true, false));
            assertThat(tun.requests).containsEntry(TapLayout.TUNSETOFFLOAD, 3L);
        }
    }

    @Test
    void claims_thatTheKernelRefuses_costOnlyTheFrame() {
        try (TapBackend backend = open()) {
            backend.start(MAC, NetOffloads.ALL);
            tun.failing.put(2L, Errno.EINVAL);
            assertThat(backend.send(new ArrayFrame(bytes(FRAME), TCP4))).isTrue();
            tun.failing.clear();
            assertThat(backend.send(ArrayFrame.of(bytes(FRAME)))).isTrue();
            assertThat(tun.sent).hasSize(1);
        }
    }

    @Test
    void interface_deleted_isAnUnpluggedCable() {
        try (TapBackend backend = open()) {
            backend.start(MAC, NetOffloads.ALL);
            int badDescriptorState = 77; // EBADFD of tun's read(2)
            tun.failing.put(1L, badDescriptorState);
            CollectingSink sink = new CollectingSink(2);
            backend.receive(sink);
            tun.failing.clear();
            tun.arriving.add(bytes("00".repeat(10) + FRAME));
            backend.receive(sink);
            assertThat(sink.frames).isEmpty();
            assertThat(backend.send(ArrayFrame.of(bytes(FRAME)))).isTrue();
            assertThat(tun.sent).isEmpty();
        }
    }
}
