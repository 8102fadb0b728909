package dev.javisor.mainlinekvm;

import java.nio.file.Files;
import java.nio.file.Path;

/** What is on this host. */
final class HostPrograms {
    private HostPrograms() {}

    static boolean isInstalled(String program) {
        for (String directory : System.getenv("PATH").split(":")) {
            if (Files.isExecutable(Path.of(directory, program))) {
                return true;
            }
        }
        return false;
    }
}
