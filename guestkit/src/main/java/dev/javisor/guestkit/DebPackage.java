package dev.javisor.guestkit;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.GZIPInputStream;
import org.apache.commons.compress.archivers.ar.ArArchiveEntry;
import org.apache.commons.compress.archivers.ar.ArArchiveInputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.tukaani.xz.XZInputStream;

/**
 * Reads the files of a Debian binary package (deb(5)): an ar archive whose member {@code data.tar}
 * with a compression suffix holds the file tree.
 */
final class DebPackage {
    /** Takes the regular files one wants. */
    interface Visitor {
        /**
         * @param path without a leading {@code ./}
         * @param content to be read within the call, or not at all
         */
        void file(String path, long sizeBytes, InputStream content) throws IOException;
    }

    private DebPackage() {}

    /**
     * @throws GuestKitException where the file is no such package, is cut off, or has a compression
     *     that we do not read
     */
    static void visit(Path deb, Visitor visitor) {
        try (InputStream in = new BufferedInputStream(Files.newInputStream(deb), 1 << 16);
                var ar = new ArArchiveInputStream(in)) {
            for (ArArchiveEntry member; (member = ar.getNextEntry()) != null; ) {
                if (member.getName().startsWith("data.tar")) {
                    visitTree(decompressed(member.getName(), ar), visitor);
                    return;
                }
            }
            throw new GuestKitException("no data.tar in the package " + deb);
        } catch (IOException e) {
            throw new GuestKitException("cannot unpack " + deb + ": " + e.getMessage(), e);
        }
    }

    /** The whole of an entry. */
    static byte[] read(InputStream content, long sizeBytes) throws IOException {
        byte[] bytes = content.readNBytes(Math.toIntExact(sizeBytes));
        if (bytes.length != sizeBytes) {
            throw new IOException("the package ends early");
        }
        return bytes;
    }

    private static void visitTree(InputStream data, Visitor visitor) throws IOException {
        var tar = new TarArchiveInputStream(data);
        for (TarArchiveEntry entry; (entry = tar.getNextEntry()) != null; ) {
            if (entry.isFile()) {
                String name = entry.getName();
                visitor.file(
                        name.startsWith("./") ? name.substring(2) : name, entry.getSize(), tar);
            }
        }
    }

    private static InputStream decompressed(String member, InputStream in) throws IOException {
        return switch (member) {
            case "data.tar.xz" -> new XZInputStream(in);
            case "data.tar.gz" -> new GZIPInputStream(in, 1 << 16);
            case "data.tar" -> in;
            default -> throw new IOException("compression of " + member + " is not supported");
        };
    }
}
