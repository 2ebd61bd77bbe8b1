/* A network written by hand, and what it computes. */
#ifndef NETWORK_H
#define NETWORK_H

enum { NUMBERS = 1000, WEIGHT = 4, PART = 250 };

/* The programs, of which each takes NUMBERS floats, but the last one none. */
enum {
    /* Two kernels: y = WEIGHT * x + 1, as output 0. Output 1 is x, output 2 the weights, and
     * output 3 begins at y[PART]. */
    TWO_KERNELS,
    FAILS,       /* a kernel returns -7 */
    PIECE_FAILS, /* a piece of a parallel loop returns -5 */
    NO_KERNELS,  /* output 0 is x */
    NO_ELEMENTS, /* output 0 has none, as the input */
    PROGRAMS
};

#endif
