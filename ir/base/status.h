#ifndef MLC_IR_BASE_STATUS_H
#define MLC_IR_BASE_STATUS_H
/* What can come back from code that touches the world.  The values are those of mlc_status (runtime/mlc.h
 * asserts it). */

typedef enum Status {
    STATUS_ok = 0,
    STATUS_failed = 1,      /* the work failed: disk full, device lost, diverged */
    STATUS_usage = 2,       /* wrong arguments */
    STATUS_invalid = 3,     /* the input (model, data, weights) is wrong; the report says how */
    STATUS_no_memory = 4,
    STATUS_bug = 5,         /* ours; the report says what to send */
    STATUS_interrupted = 6, /* asked to stop; state was saved where that applies */
} Status;

#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        Status try_status_ = (call);                                                                                   \
        if (try_status_ != STATUS_ok) return try_status_;                                                              \
    } while (0)

#endif
