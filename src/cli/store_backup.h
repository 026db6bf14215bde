// A copy of a store as a data directory of its own, from which a broker can start. Any thread that may wait.
#pragma once

#include <filesystem>
#include <functional>

#include "base/result.h"

namespace nightjar::cli {

// Makes a copy of the store in a directory that is not there yet.
using CopyStore = std::function<Result<void>(const std::filesystem::path& directory)>;

// Makes `target`, for its owner only, with the copy in it; refuses one that has something in it. What was
// begun is taken away again when it fails.
Result<void> back_up(const std::filesystem::path& target, const CopyStore& copy);

// Asks the broker that serves `data_dir` if there is one, else copies the store itself.
Result<void> back_up_data(const std::filesystem::path& data_dir, const std::filesystem::path& target);

}  // namespace nightjar::cli
