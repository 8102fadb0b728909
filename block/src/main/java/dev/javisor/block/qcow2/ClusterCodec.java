package dev.javisor.block.qcow2;

import dev.javisor.block.BlockException;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.zip.DataFormatException;
import java.util.zip.Deflater;
import java.util.zip.Inflater;

/** Compresses and decompresses clusters. From any thread. */
abstract sealed class ClusterCodec implements AutoCloseable {
    /** Of the header field compression_type. */
    static ClusterCodec of(int compressionType) {
        return switch (compressionType) {
            case 0 -> new Deflate();
            case 1 -> new Zstd();
            default -> throw new IllegalStateException("compression type " + compressionType);
        };
    }

    /**
     * Fills {@code out} from compressed bytes, behind which there may be others.
     *
     * @throws BlockException if they do not give that many
     */
    abstract void decompress(byte[] in, int length, byte[] out);

    /**
     * @return the compressed length, or a negative number if it would not be less than {@code
     *     limit}
     */
    abstract int compress(byte[] in, byte[] out, int limit);

    @Override
    public void close() {}

    /** RFC 1951, without zlib's header; a window of 4 KiB suffices for QEMU, any for us. */
    private static final class Deflate extends ClusterCodec {
        private final ConcurrentLinkedQueue<Inflater> inflaters = new ConcurrentLinkedQueue<>();
        private final ConcurrentLinkedQueue<Deflater> deflaters = new ConcurrentLinkedQueue<>();

        @Override
        void decompress(byte[] in, int length, byte[] out) {
            Inflater inflater = inflaters.poll();
            if (inflater == null) {
                inflater = new Inflater(true);
            }
            try {
                inflater.reset();
                inflater.setInput(in, 0, length);
                int done = 0;
                while (done < out.length) {
                    int n = inflater.inflate(out, done, out.length - done);
                    if (n == 0) {
                        throw new BlockException("a compressed cluster ends too early");
                    }
                    done += n;
                }
            } catch (DataFormatException e) {
                throw new BlockException("a compressed cluster is damaged: " + e.getMessage(), e);
            } finally {
                inflaters.add(inflater);
            }
        }

        @Override
        int compress(byte[] in, byte[] out, int limit) {
            Deflater deflater = deflaters.poll();
            if (deflater == null) {
                deflater = new Deflater(Deflater.DEFAULT_COMPRESSION, true);
            }
            try {
                deflater.reset();
                deflater.setInput(in);
                deflater.finish();
                int n = deflater.deflate(out, 0, Math.min(limit, out.length));
                return deflater.finished() && n < limit ? n : -1;
            } finally {
                deflaters.add(deflater);
            }
        }

        @Override
        public void close() {
            for (Inflater each = inflaters.poll(); each != null; each = inflaters.poll()) {
                each.end();
            }
            for (Deflater each = deflaters.poll(); each != null; each = deflaters.poll()) {
                each.end();
            }
        }
    }

    /** RFC 8878, in Java: what strangers compressed is not given to native code. */
    private static final class Zstd extends ClusterCodec {
        private final ConcurrentLinkedQueue<ZstdDecoder> decoders = new ConcurrentLinkedQueue<>();
        private final ConcurrentLinkedQueue<ZstdEncoder> encoders = new ConcurrentLinkedQueue<>();

        @Override
        void decompress(byte[] in, int length, byte[] out) {
            ZstdDecoder decoder = decoders.poll();
            if (decoder == null) {
                decoder = new ZstdDecoder();
            }
            try {
                decoder.decode(in, length, out);
            } finally {
                decoders.add(decoder);
            }
        }

        @Override
        int compress(byte[] in, byte[] out, int limit) {
            ZstdEncoder encoder = encoders.poll();
            if (encoder == null) {
                encoder = new ZstdEncoder();
            }
            try {
                return encoder.encode(in, out, limit);
            } finally {
                encoders.add(encoder);
            }
        }
    }
}
