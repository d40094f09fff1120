#include "backends/cpu/tuned.h"
#include <stdlib.h>
#include <string.h>

/* Where the file is among those of kernels, whose keys are hashes. Each build has its own. */
static void key_of_file(const Cache *cache, uint64_t key[2])
{
    key[0] = UINT64_C(0x64656e75746d6c63); /* "clmtuned" */
    key[1] = cache->build;
}

Tuned tuned_read(const Cache *cache, Arena *arena)
{
    Tuned tuned = {0};
    ObjectCode file;
    uint64_t key[2];
    key_of_file(cache, key);
    if (!cache_read(cache, key, &file)) return tuned;
    size_t count = file.size / sizeof *tuned.at;
    if (file.size % sizeof *tuned.at == 0 && count <= TUNED_MOST) {
        tuned.at = arena_array(arena, TunedRecord, count + 1); /* and one more, for tuned_keep */
        tuned.count = (uint32_t)count;
        memcpy(tuned.at, file.bytes, file.size);
    }
    free(file.bytes);
    return tuned;
}

static uint32_t place_of(const Tuned *tuned, const uint64_t key[2])
{
    uint32_t i = 0;
    while (i < tuned->count && memcmp(tuned->at[i].key, key, sizeof tuned->at[i].key))
        i++;
    return i;
}

const ScheduleChoice *tuned_find(const Tuned *tuned, const uint64_t key[2])
{
    uint32_t i = place_of(tuned, key);
    return i < tuned->count ? &tuned->at[i].choice : NULL;
}

bool tuned_keep(const Cache *cache, const uint64_t key[2], const ScheduleChoice *choice)
{
    Arena *arena = arena_open(&host_default);
    if (!arena) out_of_memory();
    Tuned tuned = tuned_read(cache, arena);
    if (!tuned.at) tuned.at = arena_array(arena, TunedRecord, 1);
    uint32_t old = place_of(&tuned, key);
    bool is_known = old < tuned.count;
    if (!is_known && choice_is_none(choice)) {
        arena_close(arena);
        return true;
    }
    if (!is_known && tuned.count == TUNED_MOST) old = 0, is_known = true;
    if (is_known) {
        tuned.count--;
        memmove(&tuned.at[old], &tuned.at[old + 1], (tuned.count - old) * sizeof *tuned.at);
    }
    TunedRecord *last = &tuned.at[tuned.count];
    memset(last, 0, sizeof *last); /* what is between its fields is written too */
    memcpy(last->key, key, sizeof last->key);
    last->choice = *choice;
    tuned.count += !choice_is_none(choice);
    ObjectCode file = {.bytes = tuned.at, .size = tuned.count * sizeof *tuned.at};
    uint64_t name[2];
    key_of_file(cache, name);
    cache_write(cache, name, &file);
    tuned = tuned_read(cache, arena);
    const ScheduleChoice *kept = tuned_find(&tuned, key);
    bool is_kept = choice_is_none(choice) ? !kept : kept && !memcmp(kept, choice, sizeof *kept);
    arena_close(arena);
    return is_kept;
}
