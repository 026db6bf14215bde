// Makes a table file readable whose properties are damaged: notes about the file that RocksDB reads first,
// without which it refuses all the rest. In a small file they are most of it. The rows keep checksums of
// their own.
#pragma once

#include <filesystem>
#include <string>

namespace nightjar::store {

// `refusal`: what RocksDB said of `file`. Replaces the file by one whose properties have the checksum that
// their bytes have now; false if it is something else that is damaged, and then nothing is changed.
bool mend_properties(const std::filesystem::path& file, const std::string& refusal);

}  // namespace nightjar::store
