#ifndef MLC_TESTS_UNIT_FOLDER_H
#define MLC_TESTS_UNIT_FOLDER_H
/* Folders that tests make for themselves. */

/* With the files in it; folders inside stay, and it with them. */
void remove_folder(const char *folder);

#endif
