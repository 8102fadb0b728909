/** The software CPU as an accelerator. */
package dev.javisor.softcpu;
