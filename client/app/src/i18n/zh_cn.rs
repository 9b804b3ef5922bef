//! Simplified Chinese.

use super::words::{Channels, Chat, Login, Refusal, Settings, Shell, Status, Trouble, Words};

pub(super) const WORDS: Words = Words {
    skip_to_content: "跳到主要内容",
    retry: "重试",
    cancel: "取消",
    close: "关闭",
    reload: "重新加载",
    loading: "加载中…",
    login: LOGIN,
    shell: SHELL,
    status: STATUS,
    channels: CHANNELS,
    chat: CHAT,
    settings: SETTINGS,
    trouble: TROUBLE,
    refusal: REFUSAL,
};

const LOGIN: Login = Login {
    title: "登录",
    lead: "使用您在此服务器上的账号。",
    username: "用户名",
    password: "密码",
    show_password: "显示密码",
    hide_password: "隐藏密码",
    submit: "登录",
    submitting: "正在登录…",
    incomplete: "请输入用户名和密码。",
    wrong: "用户名或密码不正确，请检查后重试。",
    blocked: "此账号已被停用，请联系服务器管理员恢复。",
    limited: |seconds| format!("尝试次数过多，请等待 {seconds} 秒后重试。"),
    unreachable: "无法连接服务器，请检查网络后重试。",
    server_error: |status| format!("服务器暂时无法完成登录（错误 {status}），请稍后重试。"),
    session_ended: "会话已结束，请重新登录。",
    again_title: "请重新登录",
    again_lead: |name| format!("{name} 的会话已结束。已输入的内容仍然保留，输入密码即可继续。"),
    someone_else: "使用其他账号",
};

const SHELL: Shell = Shell {
    navigation: "页面",
    chat: "聊天",
    settings: "设置",
    logout: "退出登录",
    page_title: |page| format!("{page} · BMT Realtime"),
    toasts: "通知",
    more_toasts: |count| format!("还有 {count} 条"),
};

const STATUS: Status = Status {
    connected: "已连接",
    connecting: "正在连接…",
    disconnected: "已断开",
    failed: "连接失败",
    reconnecting: |attempt, most| match most {
        Some(most) => format!("正在重连，第 {attempt}/{most} 次"),
        None => format!("正在重连，第 {attempt} 次"),
    },
    next_try: |seconds| format!("{seconds} 秒后重试"),
    retry_now: "立即重连",
    latency: |ms| format!("{ms} 毫秒"),
    queued: |count| format!("{count} 条消息等待发送"),
    stale: |age| format!("最后更新：{age}"),
    kicked: |reason| {
        if reason.is_empty() {
            "管理员已断开此连接。".to_owned()
        } else {
            format!("管理员已断开此连接：{reason}")
        }
    },
    unreachable: "无法连接服务器。",
    offline: "此设备处于离线状态。",
    session_over: "会话已结束。",
};

const CHANNELS: Channels = Channels {
    title: "频道",
    join: "加入或创建频道",
    join_label: "频道名称",
    join_hint: "例如 public:design。可用字母、数字、- 和 _，各段之间用冒号分隔。",
    join_submit: "加入",
    name_empty: "名称的每一段至少需要一个字符。",
    name_too_long: "名称过长：总长不超过 255 个字符，每段不超过 128 个。",
    name_character: |character| {
        if character.is_whitespace() {
            return "频道名称中不能有空格，请使用字母、数字、- 和 _。".to_owned();
        }
        format!("频道名称中不能使用“{character}”，请使用字母、数字、- 和 _。")
    },
    name_namespace: |namespace| {
        format!("命名空间“{namespace}”不存在。请以 public:、private: 或 user: 开头，或者不使用冒号。")
    },
    leave: |channel| format!("离开 {channel}"),
    unread: |count| format!("{count} 条未读消息"),
    quiet: "还没有消息",
    last_line: |name, text| format!("{name}：{text}"),
    you: "我",
    none_title: "没有频道",
    none_lead: "加入一个频道，开始交谈。",
    back: "返回频道列表",
};

const CHAT: Chat = Chat {
    timeline: |channel| format!("{channel} 的消息"),
    empty_title: |channel| format!("{channel} 从这里开始"),
    empty_lead: "还没有消息，打个招呼吧。",
    none_title: "选择一个频道",
    none_lead: "从列表中选择，或按名称加入新的频道。",
    loading_older: "正在加载更早的消息…",
    older_failed: "更早的消息加载失败。",
    beginning: "已到频道的开头",
    today: "今天",
    yesterday: "昨天",
    unread_line: "新消息",
    new_below: |count| format!("{count} 条新消息"),
    jump_latest: "跳到最新消息",
    composer: |channel| format!("发送消息到 {channel}"),
    send: "发送",
    sending: "发送中…",
    queued: "等待连接",
    failed: |reason| format!("未发送：{reason}"),
    edit: "编辑",
    discard: "删除",
    queue_full: |most| format!("已有 {most} 条消息等待发送，恢复连接前无法再添加。"),
    too_long: "消息过长，无法发送。请缩短或分段发送。",
    data: "数据",
    keys: "Enter 发送，Shift+Enter 换行",
    gap: "此处的部分消息服务器已不再保存。",
    present: |count| format!("{count} 人在线"),
    read_only: "您可以阅读此频道，但不能发言。",
};

const SETTINGS: Settings = Settings {
    title: "设置",
    appearance: "外观",
    theme: "主题",
    theme_lead: "选择“跟随系统”时，会随设备的日间和夜间模式自动切换。",
    light: "浅色",
    dark: "深色",
    system: "跟随系统",
    language: "语言",
    language_lead: "立即生效，并保存在此浏览器中。",
    account: "账号",
    name: "名称",
    user_id: "用户 ID",
    role: "角色",
    role_admin: "管理员",
    role_user: "用户",
    role_guest: "访客",
    logout_lead: "将结束此浏览器所有标签页中的会话。",
};

const TROUBLE: Trouble = Trouble {
    not_found_title: "此地址没有内容",
    not_found_lead: "页面可能已移动，或者地址输入有误。",
    refused_title: "您无权访问此处",
    refused_lead: "您的账号没有所需的权限，管理员可以为您授权。",
    home: "前往聊天",
    crash_title: "应用已停止运行",
    crash_lead: "应用内部出现错误。草稿和等待发送的消息都保存在此设备上，重新加载即可继续。",
    crash_copy: "复制详情",
    crash_copied: "已复制",
    crash_details: "详情",
    storage: "此浏览器不允许保存数据：草稿和等待发送的消息只保留到页面关闭为止。",
};

const REFUSAL: Refusal = Refusal {
    connect_error: "无法建立连接，系统会自动重试。",
    authentication_failed: "服务器不再接受此会话，请重新登录。",
    invalid_protocol: "页面与服务器的版本不一致，请重新加载页面。",
    server_error: "服务器出现问题，请稍后重试。",
    invalid_message: "服务器无法读取此消息，请修改后重试。",
    message_too_large: "消息过大，请缩短或分段发送。",
    rate_limited: "操作过于频繁，请稍后重试。",
    idempotency_conflict: "编号相同但内容不同的消息已经发送过，请作为新消息发送。",
    channel_not_found: "频道不存在，请检查名称的第一段。",
    subscribe_failed: "频道已满，或您加入的频道过多。请先离开一个频道再重试。",
    permission_denied: "您没有此频道的权限，管理员可以为您授权。",
    invalid_operation: "当前无法执行此操作，请重新加载页面后重试。",
    connection_not_found: "该连接已不存在。",
    queue_expired: "等待连接的时间过长，请重新发送。",
    queue_overflow: "等待发送的消息过多，请重新发送。",
    unknown: |code| format!("服务器拒绝了此操作（{code}），请重试或联系管理员。"),
};
