# Draws the first predictions of a CSV that `mlc predict` wrote: columns digit, picture.0 ... picture.63.
BEGIN { FS = ","; shade = " .:-=+*#%@" }
NR == 1 { next }
NR <= shown + 1 {
    for (i = 0; i < 64; i++) {
        darkness = int($(i + 2) * 9 / 16 + 0.5)
        cell = substr(shade, darkness + 1, 1)
        row[int(i / 8)] = row[int(i / 8)] cell cell
    }
    for (y = 0; y < 8; y++) row[y] = row[y] "   "
    answer = answer sprintf("%-19s", "       is " $1)
}
END { for (y = 0; y < 8; y++) print row[y]; print answer }
