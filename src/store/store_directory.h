// The directory of a store before it is opened: made as a whole or not at all, and looked at before anything
// in it is changed. Holds the directory's lock meanwhile. Any thread, one at a time.
#pragma once

#include <filesystem>

#include "base/result.h"
#include "store/rocks_options.h"

namespace rocksdb {
class DB;
}

namespace nightjar::store {

// Makes an empty store if there is nothing at `directory` or an empty directory.
Result<void> make_store_if_absent(const std::filesystem::path& directory, const RocksOptions& options);

// Says why the store must not be opened: not a store, not complete, from a newer version, in use, damaged.
// Writes nothing.
Result<void> inspect_store(const std::filesystem::path& directory, const RocksOptions& options);

// The version of what is in the store; an error if this Nightjar does not know it.
Result<void> check_format(const std::filesystem::path& directory, rocksdb::DB& database);

}  // namespace nightjar::store
