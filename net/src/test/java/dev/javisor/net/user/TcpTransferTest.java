package dev.javisor.net.user;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.net.FrameOffload;
import dev.javisor.net.IpAddress;
import dev.javisor.net.NetOffloads;
import java.util.Objects;
import java.util.PriorityQueue;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whole transfers over a link that loses, doubles and reorders, on a virtual clock. */
class TcpTransferTest {
    private static final IpAddress GUEST_4 = IpAddress.parse("10.0.2.15");
    private static final IpAddress FAR_4 = IpAddress.parse("203.0.113.9");
    private static final IpAddress GUEST_6 = IpAddress.parse("fec0::15");
    private static final IpAddress FAR_6 = IpAddress.parse("2001:db8::9");

    private record Travelling(long atNanos, long number, byte[] frame, FrameOffload offload)
            implements Comparable<Travelling> {
        @Override
        public int compareTo(Travelling other) {
            int byTime = Long.compare(atNanos, other.atNanos);
            return byTime != 0 ? byTime : Long.compare(number, other.number);
        }
    }

    /** What the link does to frames, in per cent. */
    private record Weather(int lost, int doubled, int late) {
        static final Weather FINE = new Weather(0, 0, 0);
    }

    /** A guest and a link to the stack. */
    private static final class Run {
        private final Bed bed;
        private final Random random;
        private final Weather weather;
        private final PriorityQueue<Travelling> toGuest = new PriorityQueue<>();
        private final PriorityQueue<Travelling> fromGuest = new PriorityQueue<>();
        private GuestTcp guest;
        private long number;
        private int largest;

        Run(long seed, Weather weather, NetOffloads offloads, boolean v6, byte[] upload) {
            random = new Random(seed);
            this.weather = weather;
            bed = new Bed(UserNetworkConfig.standard(), offloads);
            bed.run();
            int mss = offloads.tcp4() || random.nextBoolean() ? 1460 : 500 + random.nextInt(900);
            guest =
                    new GuestTcp(
                            v6 ? GUEST_6 : GUEST_4,
                            40_000,
                            v6 ? FAR_6 : FAR_4,
                            80,
                            random.nextInt(),
                            mss,
                            upload,
                            frame -> travel(fromGuest, frame, FrameOffload.NONE));
            guest.scale = random.nextInt(3);
            guest.selective = random.nextInt(4) != 0;
            bed.guest = (frame, offload) -> travel(toGuest, frame, offload);
        }

        private void travel(PriorityQueue<Travelling> way, byte[] frame, FrameOffload offload) {
            largest = Math.max(largest, frame.length);
            if (random.nextInt(100) < weather.lost) {
                return;
            }
            int copies = random.nextInt(100) < weather.doubled ? 2 : 1;
            for (int i = 0; i < copies; i++) {
                long delay = 50_000;
                if (random.nextInt(100) < weather.late) {
                    delay += random.nextInt(3_000_000);
                }
                way.add(new Travelling(bed.time.nanos() + delay, number++, frame, offload));
            }
        }

        /** One step of time; false if nothing is left to happen. */
        boolean step() {
            guest.output(bed.time.nanos());
            bed.run();
            long next = guest.deadline();
            if (!toGuest.isEmpty()) {
                next = Math.min(next, toGuest.peek().atNanos());
            }
            if (!fromGuest.isEmpty()) {
                next = Math.min(next, fromGuest.peek().atNanos());
            }
            if (bed.time.armedTimers() > 0) {
                next = Math.min(next, bed.time.nextDeadlineNanos());
            }
            if (next == Long.MAX_VALUE) {
                return false;
            }
            bed.time.advanceTo(Math.max(next, bed.time.nanos()));
            bed.run();
            long now = bed.time.nanos();
            while (!toGuest.isEmpty() && toGuest.peek().atNanos() <= now) {
                Travelling frame = toGuest.remove();
                if (Wire.type(frame.frame()) != 0x0806 && Wire.protocol(frame.frame()) == 6) {
                    guest.input(Wire.segment(frame.frame(), frame.offload()), now);
                }
            }
            while (!fromGuest.isEmpty() && fromGuest.peek().atNanos() <= now) {
                bed.send(fromGuest.remove().frame());
            }
            guest.tick(now);
            return true;
        }
    }

    private static byte[] bytes(Random random, int size) {
        byte[] bytes = new byte[size];
        random.nextBytes(bytes);
        return bytes;
    }

    private static void transfer(
            long seed, Weather weather, NetOffloads offloads, boolean v6, int up, int down) {
        Random random = new Random(seed);
        byte[] upload = bytes(random, up);
        byte[] download = bytes(random, down);
        Run run = new Run(seed, weather, offloads, v6, upload);
        run.bed.outside.socketBytes = 1000 + random.nextInt(100_000);
        FakeOutside.Peer peer = null;
        for (int i = 0; i < 400_000 && !(run.guest.isDone() && peer != null && peer.closed); i++) {
            if (!run.step()) {
                break;
            }
            assertThat(run.guest.reset).as("reset, seed %d", seed).isFalse();
            if (peer == null && !run.bed.outside.peers.isEmpty()) {
                peer = run.bed.outside.peers.getFirst();
                peer.eager = random.nextBoolean();
                peer.send(download);
                peer.end();
            }
            if (peer != null && !peer.eager && i % 3 == 0) {
                peer.take(random.nextInt(40_000));
            }
        }
        String what = "seed %d %s %s".formatted(seed, weather, offloads);
        Objects.requireNonNull(peer, what).take(Integer.MAX_VALUE);
        assertThat(peer.received.toByteArray()).as("upload, " + what).isEqualTo(upload);
        assertThat(run.guest.received.toByteArray()).as("download, " + what).isEqualTo(download);
        assertThat(peer.outputShut).as("end seen, " + what).isTrue();
        assertThat(run.guest.isDone()).as("ended, " + what).isTrue();
        run.bed.guest = (frame, offload) -> {};
        run.bed.advance(400_000_000_000L);
        assertThat(run.bed.network.connections()).as("connections left, " + what).isZero();
        assertThat(run.bed.network.tcp().pool().used()).as("memory left, " + what).isZero();
        assertThat(run.bed.outside.openSockets).as("sockets left, " + what).isZero();
        if (offloads.tcp4() && down > 300_000) {
            assertThat(run.largest).as("large segments, " + what).isGreaterThan(20_000);
        }
        run.bed.close();
    }

    @Test
    void transfer_fineWeather_arrivesInLargeSegments() {
        transfer(1, Weather.FINE, NetOffloads.ALL, false, 2_000_000, 3_000_000);
        transfer(2, Weather.FINE, NetOffloads.ALL, true, 2_000_000, 3_000_000);
    }

    @Test
    void transfer_guestWithoutOffloads_arrivesWithChecksums() {
        transfer(3, Weather.FINE, NetOffloads.NONE, false, 300_000, 300_000);
        transfer(4, Weather.FINE, NetOffloads.NONE, true, 300_000, 300_000);
        transfer(5, Weather.FINE, new NetOffloads(true, false, false), true, 99_999, 99_999);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 6})
    void transfer_stormyWeather_arrivesAllTheSame(int round) {
        long base = Long.getLong("javisor.test.seed", 42);
        Random random = new Random(base * 31 + round);
        for (int i = 0; i < 5; i++) {
            long seed = random.nextLong();
            System.out.println("transfer seed " + seed);
            Weather weather =
                    new Weather(random.nextInt(12), random.nextInt(10), random.nextInt(30));
            NetOffloads offloads = random.nextBoolean() ? NetOffloads.ALL : NetOffloads.NONE;
            transfer(
                    seed,
                    weather,
                    offloads,
                    random.nextBoolean(),
                    random.nextInt(150_000),
                    random.nextInt(250_000));
        }
    }
}
