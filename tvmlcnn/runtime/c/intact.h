/* Whether the file is what the compiler wrote. */
#ifndef TVMLCNN_INTACT_H
#define TVMLCNN_INTACT_H

#pragma GCC visibility push(hidden)

/* Tell whether all that the loader maps for reading alone, code and weights among it, is byte for byte
 * what the compiler wrote. Only the first call of a process looks. */
int intact(void);

#pragma GCC visibility pop

#endif
