// Makes a store of what can be read of a damaged one. Main thread; the caller holds the lock of the data
// directory.
#pragma once

#include <filesystem>

#include "base/result.h"
#include "cli/store_examine.h"

namespace nightjar::cli {

struct Repaired {
  Examination found;
  std::filesystem::path
      damaged;  // where the damaged store is now; empty: nothing was wrong, and nothing was done
};

// The damaged store stays as it was, as `store`.damaged-N beside `store`. When it fails, `store` is as
// before.
Result<Repaired> repair(const std::filesystem::path& store);

}  // namespace nightjar::cli
