package dev.javisor.cli;

import java.io.InputStream;
import java.io.OutputStream;

/** The process's own streams, not buffered; a test hands in others. */
record StandardStreams(InputStream in, OutputStream out, OutputStream err) {}
