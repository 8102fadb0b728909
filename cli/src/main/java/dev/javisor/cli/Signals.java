package dev.javisor.cli;

import java.lang.reflect.Method;
import java.lang.reflect.Proxy;

/**
 * Hears signals of the operating system that the Java platform has no API for. {@code
 * sun.misc.Signal} is exported by jdk.unsupported; a compiler warns of its use, which {@code
 * -Werror} would refuse, hence the reflection.
 */
final class Signals {
    private Signals() {}

    /**
     * @param name without SIG
     * @param action runs on a thread of its own for each delivery
     * @return whether this platform knows the signal
     */
    static boolean handle(String name, Runnable action) {
        try {
            Class<?> signal = Class.forName("sun.misc.Signal");
            Class<?> handler = Class.forName("sun.misc.SignalHandler");
            Object proxy =
                    Proxy.newProxyInstance(
                            Signals.class.getClassLoader(),
                            new Class<?>[] {handler},
                            (self, method, arguments) -> invoked(self, method, arguments, action));
            signal.getMethod("handle", signal, handler)
                    .invoke(null, signal.getConstructor(String.class).newInstance(name), proxy);
            return true;
        } catch (ReflectiveOperationException e) {
            return false;
        }
    }

    private static @org.jspecify.annotations.Nullable Object invoked(
            Object self,
            Method method,
            Object @org.jspecify.annotations.Nullable [] arguments,
            Runnable action) {
        return switch (method.getName()) {
            case "handle" -> {
                action.run();
                yield null;
            }
            case "equals" -> arguments != null && arguments[0] == self;
            case "hashCode" -> System.identityHashCode(self);
            default -> "handler of a signal";
        };
    }
}
