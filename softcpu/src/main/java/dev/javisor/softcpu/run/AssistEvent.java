package dev.javisor.softcpu.run;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** Flight recorder event: the accelerator gave up on an instruction, the software CPU took over. */
@Name("dev.javisor.InstructionAssist")
@Label("Instruction Assist")
@Category({"Javisor", "CPU"})
@Description("The software CPU executed instructions that the accelerator cannot")
@StackTrace(false)
final class AssistEvent extends Event {
    @Label("vCPU")
    int vcpu;

    @Label("Instruction Pointer")
    long rip;

    @Label("First Instruction")
    String instruction = "";

    @Label("Instructions Executed")
    int executed;

    @Label("Outcome")
    String outcome = "";
}
