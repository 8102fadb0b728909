/** System instructions, events, and the vCPU's identity: SDM volume 3A. */
package dev.javisor.softcpu.sys;
