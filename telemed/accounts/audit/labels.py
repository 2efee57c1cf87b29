"""What each auditable act is called on a page."""

from __future__ import annotations

from collections.abc import Mapping

from telemed.core.audit import AuditTag
from telemed.core.errors import N_

TAG_LABELS: Mapping[AuditTag, str] = {
    AuditTag.SIGN_IN: N_("Đăng nhập"),
    AuditTag.SIGN_IN_REFUSED: N_("Đăng nhập bị từ chối"),
    AuditTag.SIGN_OUT: N_("Đăng xuất"),
    AuditTag.LOGIN_REVOKE: N_("Đăng xuất máy khác"),
    AuditTag.PASSWORD_SET: N_("Đặt mật khẩu"),
    AuditTag.SECOND_FACTOR_SET: N_("Bật mã xác thực"),
    AuditTag.SECOND_FACTOR_RESET: N_("Đặt lại mã xác thực"),
    AuditTag.REAUTHENTICATE: N_("Xác nhận lại danh tính"),
    AuditTag.PERSON_CREATE: N_("Tạo tài khoản"),
    AuditTag.PERSON_CHANGE: N_("Sửa tài khoản"),
    AuditTag.ACTIVATION_ISSUE: N_("Cấp mã kích hoạt"),
    AuditTag.FACILITY_CHANGE: N_("Sửa cơ sở"),
    AuditTag.PATIENT_LIST: N_("Xem danh sách người bệnh"),
    AuditTag.PATIENT_READ: N_("Xem người bệnh"),
    AuditTag.PATIENT_CREATE: N_("Ghi người bệnh mới"),
    AuditTag.PATIENT_CHANGE: N_("Sửa người bệnh"),
    AuditTag.CONSENT_RECORD: N_("Ghi đồng ý"),
    AuditTag.CONSENT_WITHDRAW: N_("Rút lại đồng ý"),
    AuditTag.CONSULT_LIST: N_("Xem danh sách ca"),
    AuditTag.CONSULT_TRIAGE: N_("Xem tóm tắt ca chờ"),
    AuditTag.CONSULT_READ: N_("Xem ca"),
    AuditTag.CONSULT_WRITE: N_("Ghi ca"),
    AuditTag.CONSULT_TRANSITION: N_("Chuyển trạng thái ca"),
    AuditTag.MESSAGE_WRITE: N_("Nhắn trong ca"),
    AuditTag.FILE_WRITE: N_("Gửi tệp"),
    AuditTag.FILE_READ: N_("Xem tệp"),
    AuditTag.SESSION_START: N_("Bắt đầu buổi gọi"),
    AuditTag.SESSION_JOIN: N_("Vào buổi gọi"),
    AuditTag.SESSION_LEAVE: N_("Rời buổi gọi"),
    AuditTag.SESSION_END: N_("Kết thúc buổi gọi"),
    AuditTag.MINUTES_READ: N_("Xem biên bản"),
    AuditTag.MINUTES_WRITE: N_("Ghi biên bản"),
    AuditTag.RECORD_SIGN: N_("Ký"),
    AuditTag.RECORD_ADDENDUM: N_("Ghi bản bổ sung"),
    AuditTag.RECORD_PRINT: N_("In"),
    AuditTag.BOOKING_MAKE: N_("Đặt lịch"),
    AuditTag.BOOKING_CANCEL: N_("Hủy lịch"),
    AuditTag.HOURS_CHANGE: N_("Sửa giờ nhận hẹn"),
    AuditTag.ROTATION_CHANGE: N_("Sửa luân phiên"),
    AuditTag.TRANSFER_READ: N_("Xem buổi chuyển giao"),
    AuditTag.TRANSFER_WRITE: N_("Ghi nhật ký chuyển giao"),
    AuditTag.HISTORY_SEARCH: N_("Tra cứu lịch sử"),
    AuditTag.HISTORY_READ: N_("Xem lịch sử"),
    AuditTag.AUDIT_READ: N_("Xem nhật ký"),
    AuditTag.ACCESS_REFUSED: N_("Bị chặn vì không có quyền"),
    AuditTag.RECORDING_CHANGE: N_("Ghi hình buổi gọi"),
    AuditTag.RECORDING_READ: N_("Xem bản ghi buổi gọi"),
    AuditTag.RECORDING_DELETE: N_("Xóa bản ghi buổi gọi"),
}
