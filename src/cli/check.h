// `nightjar check`: everything that a start would find wrong, without starting: the file, the files it names,
// certificates, addresses; and who may enter where.
#pragma once

namespace nightjar::cli {

int run_check(int argc, char** argv);

}  // namespace nightjar::cli
