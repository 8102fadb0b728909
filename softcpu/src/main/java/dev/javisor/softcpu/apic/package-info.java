/** Local APICs and the messages between them: SDM 3A chapter 12. */
package dev.javisor.softcpu.apic;
