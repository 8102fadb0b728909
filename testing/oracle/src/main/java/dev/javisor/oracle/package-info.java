/**
 * The real CPU as an oracle. {@link dev.javisor.oracle.OracleMain} runs as long as one likes; the
 * tests run a million cases.
 */
package dev.javisor.oracle;
