// Boost.JSON in header-only form: its definitions are compiled here, once. Trees (control socket) are written
// with it as well as the strings of json_text.h.
#include <boost/json/src.hpp>
