/* x87's transcendental instructions. Processors differ in their last bits: 15 digits of 19. */
#include <stdio.h>

int main(void) {
    for (int i = 1; i < 40; i++) {
        long double x = i / 16.0L, sine, cosine, tangent, arc, logarithm, plus, power;
        __asm__("fsincos" : "=t"(cosine), "=u"(sine) : "0"(x));
        __asm__("fptan\n\tfstp %%st(0)" : "=t"(tangent) : "0"(x));
        __asm__("fpatan" : "=t"(arc) : "0"(x), "u"(1.0L) : "st(1)");
        __asm__("fyl2x" : "=t"(logarithm) : "0"(x), "u"(1.0L) : "st(1)");
        __asm__("fyl2xp1" : "=t"(plus) : "0"(x / 16), "u"(1.0L) : "st(1)");
        __asm__("f2xm1" : "=t"(power) : "0"(x / 4));
        printf("%.15Lg %.15Lg %.15Lg %.15Lg %.15Lg %.15Lg %.15Lg\n", sine, cosine, tangent, arc,
               logarithm, plus, power);
    }
    return 0;
}
