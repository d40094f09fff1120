#include "tests/unit/folder.h"
#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

void remove_folder(const char *folder)
{
    DIR *open = opendir(folder);
    char path[512];
    for (const struct dirent *entry; open && (entry = readdir(open));) {
        snprintf(path, sizeof path, "%s/%.200s", folder, entry->d_name);
        unlink(path);
    }
    if (open) closedir(open);
    rmdir(folder);
}
