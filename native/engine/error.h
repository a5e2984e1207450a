#pragma once
#include <stdexcept>
#include <string>

namespace lieconv {

/// An error with one of the codes of src/errors.ts; the addon turns it into a JavaScript LconvError.
class Error : public std::runtime_error {
 public:
  Error(const char* code, const std::string& message) : std::runtime_error(message), code_(code) {}
  const char* code() const { return code_; }

 private:
  const char* code_;  // a string literal
};

}  // namespace lieconv
